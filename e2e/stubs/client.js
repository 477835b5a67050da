// Calls orders.v1.Orders by stubs made from its .proto file, and says what it saw.
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [proto, door, own] = process.argv.slice(2);
const { Orders } = grpc.loadPackageDefinition(loader.loadSync(proto)).orders.v1;
const stub = (target, authority) =>
  new Orders(target, grpc.credentials.createInsecure(), authority ? { 'grpc.default_authority': authority } : {});
const orders = stub(door, 'orders');

const check = (name, good) => console.log(good ? 'ok' : 'FAILED', name);
const unary = (client, request, metadata = new grpc.Metadata(), options = {}) =>
  new Promise((resolve) => {
    let head, status;
    const call = client.Get(request, metadata, options, (error, answer) => setImmediate(() => resolve({ error, answer, head, status })));
    call.on('metadata', (m) => (head = m)).on('status', (s) => (status = s));
  });
const collect = (stream) =>
  new Promise((resolve) => {
    const got = [];
    stream.on('data', (m) => got.push(m)).on('error', (error) => resolve({ got, error })).on('end', () => resolve({ got }));
  });

(async () => {
  check('unary', (await unary(orders, { id: '17' }, undefined, { deadline: Date.now() + 5000 })).answer?.state === 'shipped');
  check('server stream', (await collect(orders.Watch({ id: '1' }))).got.map((o) => o.state).join() === 'placed,packed,shipped');
  check('client stream', await new Promise((resolve) => {
    const put = orders.Put((error, answer) => resolve(!error && answer.count === 40));
    for (let n = 0; n < 40; n++) put.write({ id: String(n) });
    put.end();
  }));
  const both = orders.Check();
  for (let n = 0; n < 5; n++) both.write({ id: String(n) });
  both.end();
  check('both ways', (await collect(both)).got.map((o) => o.id).join() === '0,1,2,3,4');

  const metadata = new grpc.Metadata();
  metadata.set('echo', 'hi');
  metadata.set('echo-bin', Buffer.from([0, 255]));
  const { head, status } = await unary(orders, { id: '1' }, metadata);
  check('metadata', head.get('echo')[0] === 'hi' && head.get('echo-bin')[0].equals(Buffer.from([0, 255])) && status.metadata.get('rows')[0] === '1');

  let { error } = await unary(orders, { id: 'ä' });
  check('status', error.code === grpc.status.NOT_FOUND && error.details === 'no order ä');
  check('status details', String(error.metadata.get('grpc-status-details-bin')[0]).includes('NO_ORDER'));

  const zipped = new Orders(door, grpc.credentials.createInsecure(), { 'grpc.default_authority': 'orders', 'grpc.default_compression_algorithm': 2 });
  const long = '1'.repeat(5000); // what the instance saw comes back in trailers
  const tell = new grpc.Metadata();
  tell.set('tell', '1');
  const heavy = zipped.Watch({ id: long }, tell);
  const sealed = new Promise((resolve) => heavy.on('status', (s) => resolve(s.metadata.get('compressed')[0])));
  const sent = (await collect(heavy)).got;
  check('compression', sent.length === 3 && sent.every((o) => o.id === long) && (await sealed) === 'true');

  const left = Number((await unary(orders, { id: '1' }, tell, { deadline: Date.now() + 5000 })).status.metadata.get('left')[0]);
  check('deadline at the instance', left > 3000 && left < 5200);

  const began = Date.now();
  ({ error } = await collect(orders.Watch({ id: 'endless' }, { deadline: began + 300 })));
  check('deadline', error.code === grpc.status.DEADLINE_EXCEEDED && Date.now() - began < 3000);

  const stream = orders.Watch({ id: 'endless' });
  stream.once('data', () => stream.cancel());
  check('cancellation', (await collect(stream)).error?.code === grpc.status.CANCELLED);

  ({ error } = await unary(stub(door, 'nobody'), { id: '1' }));
  check('unknown service', error.code === grpc.status.NOT_FOUND && error.details.includes('nobody'));
  check('by its own address', (await unary(stub(own), { id: '1' })).answer?.id === '1');

  console.log('leave');
  let failed = 0;
  for (let n = 0; n < 60; n++) {
    if ((await unary(orders, { id: '1' })).error) failed++;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  check('an instance that goes away', failed === 0);
  process.exit();
})();
