'use strict';
// The till's side of the comparison: a PouchDB on disk that replicates documents to an HTTP peer.
// source.js FOLDER URL DOCUMENTS; each line of standard input is a task, each line of output its answer, as JSON.
//   fill COUNT        put COUNT documents more into the local database, made of the lines of DOCUMENTS
//   replicate BATCH   replicate what the peer has not yet, so many documents a batch
const fs = require('fs');
const path = require('path');
const readline = require('readline');
const PouchDB = require('pouchdb');

const FILL_BATCH = 1000;
const BATCHES_UNDER_WAY = 10;

const [folder, url, documents] = process.argv.slice(2);
const db = new PouchDB(path.join(folder, 'source'));
const bodies = fs.readFileSync(documents, 'utf8').split('\n').filter((line) => line);
let made = 0;

async function fill(count) {
  const end = made + count;
  while (made < end) {
    const docs = [];
    while (docs.length < FILL_BATCH && made < end) {
      const body = JSON.parse(bodies[made % bodies.length]);
      made += 1;
      body._id = 'till-1:1:' + String(made).padStart(9, '0');
      docs.push(body);
    }
    await db.bulkDocs(docs);
  }
  return {made};
}

async function replicate(batch) {
  const started = process.hrtime.bigint();
  const found = await db.replicate.to(url, {batch_size: batch, batches_limit: BATCHES_UNDER_WAY});
  const seconds = Number(process.hrtime.bigint() - started) / 1e9;
  return {seconds, written: found.docs_written, failed: found.doc_write_failures, ok: found.ok};
}

async function main() {
  for await (const line of readline.createInterface({input: process.stdin})) {
    const [task, count] = line.split(' ');
    const answer = task === 'fill' ? await fill(Number(count)) : await replicate(Number(count));
    console.log(JSON.stringify(answer));
  }
  await db.close();
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
