'use strict';
// The cloud's side of the comparison: a PouchDB on disk behind express-pouchdb, on loopback. peer.js FOLDER
// Prints its port as JSON when it listens; ends at SIGTERM.
const path = require('path');
const express = require('express');
const PouchDB = require('pouchdb');

const folder = process.argv[2];
const app = express();
app.use('/', require('express-pouchdb')(PouchDB.defaults({prefix: folder + path.sep}), {
  mode: 'minimumForPouchDB',
  inMemoryConfig: true,
  logPath: path.join(folder, 'peer.log'),
}));
const server = app.listen(0, '127.0.0.1', () => console.log(JSON.stringify({port: server.address().port})));
process.on('SIGTERM', () => process.exit(0));
