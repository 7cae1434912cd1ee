// Prints a ReceiptLine document from standard input: receiptio_client.js PORT OPTIONS. Says receiptio's own verdict.
// receiptio knows port 9100 only; tests listen on a free one.
const net = require('net');
const connect = net.connect;
net.connect = (_port, host) => connect(Number(process.argv[2]), host);
const receiptio = require('receiptio');
let text = '';
process.stdin.setEncoding('utf8');
process.stdin.on('data', piece => { text += piece; });
process.stdin.on('end', () => receiptio.print(text, process.argv[3]).then(said => console.log(said)));
