// Calls "orders" by name through Lift's plain door, with what Node brings along.
//
// Each line of standard input asks for one call, and a line of JSON tells of it.
const http = require('node:http');
const readline = require('node:readline');

const [door, timeout] = process.argv.slice(2);
const [host, port] = door.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const headers = { 'Lift-Service': 'orders', 'Lift-Timeout': timeout };

function get() {
  return new Promise((resolve, reject) => {
    http.get({ host, port, path: '/', agent, headers }, (answer) => {
      let body = '';
      answer.setEncoding('utf8').on('data', (text) => { body += text; }).on('error', reject)
        .on('end', () => resolve({ status: answer.statusCode, body }));
    }).on('error', reject);
  });
}

async function main() {
  for await (const _ of readline.createInterface({ input: process.stdin })) {
    const began = process.hrtime.bigint();
    const call = { ok: false };
    try {
      const { status, body } = await get();
      call.ok = status === 200;
      if (!call.ok) call.error = `${status} ${body}`;
    } catch (failure) {
      call.error = String(failure);
    }
    call.took_us = Number((process.hrtime.bigint() - began) / 1000n);
    console.log(JSON.stringify(call));
  }
}

main().then(() => process.exit());
