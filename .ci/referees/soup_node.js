// Proves with soupbintcp, an independent client in JavaScript, that our sessions are SoupBinTCP.
//
// soup_node.js PROGRAM
//
// Two users log in and trade with each other. One leaves, and gets exactly the missing messages
// when it resumes by number. A wrong password and an old session are refused. The feed is the file
// that `journal export` writes.
'use strict';

const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');

const { Client } = require('soupbintcp');

const PASSWORD = 'secret';
const PATIENCE_MS = 20_000;

const program = path.resolve(process.argv[2]);
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'uncross-referee-'));
const venue = path.join(folder, 'venue');

function run(...args) {
  return JSON.parse(execFileSync(program, [...args, '--json']));
}

function makeVenue() {
  run('init', venue);
  const password = path.join(folder, 'password.txt');
  fs.writeFileSync(password, PASSWORD);
  for (const user of ['ALICE', 'BOB'])
    run('user', 'add', user, '--venue', venue, '--password-file', password);
}

async function startVenue() {
  const free = ['--orders', '--data', '--admin'].flatMap((door) => [door, '127.0.0.1:0']);
  const args = ['start', venue, '--json', ...free, '--set', 'core.pin=false'];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(readline.createInterface(child.stdout), 'line');
  return { child, ...JSON.parse(line) };
}

function timeout(what) {
  const error = new Error(`${what}: nothing within ${PATIENCE_MS} ms`);
  return new Promise((_, reject) => setTimeout(reject, PATIENCE_MS, error).unref());
}

// A session that keeps all it receives.
class Session {

  // Resolves to the session, or to the code with which the login was refused.
  static async login(address, username, requestedSession, number, password = PASSWORD) {
    const [host, port] = address.split(':');
    const session = new Session();
    const client = new Client({ host, port: Number(port) });
    session.client = client;
    session.received = [];
    session.ended = once(client, 'end');
    client.on('message', (payload) => session.take(payload));
    await once(client, 'connect');
    client.login({ username, password, requestedSession, requestedSequenceNumber: number });
    const refused = once(client, 'reject').then(([reject]) => reject.rejectReasonCode);
    const accepted = once(client, 'accept').then(([accept]) => {
      assert.equal(accept.sequenceNumber, number);
      session.name = accept.session;
      return session;
    });
    const outcome = await Promise.race([accepted, refused, timeout('login')]);
    if (outcome !== session)
      client.end();
    return outcome;
  }

  take(payload) {
    this.received.push(Buffer.from(payload));
    this.wake?.();
  }

  // Waits until so many messages have come since the login.
  async until(count) {
    while (this.received.length < count) {
      const woken = new Promise((resolve) => this.wake = resolve);
      await Promise.race([woken, timeout(`message ${count}`)]);
    }
    return this.received;
  }

  kinds() {
    return this.received.map((message) => String.fromCharCode(message[0])).join('');
  }

  async logOut() {
    this.client.logout();
    await Promise.race([this.ended, timeout('the end after a logout')]);
    this.client.end();
  }

}

// OUCH 5.0 Enter Order: a visible day order.
function enter(number, side, quantity, price) {
  const message = Buffer.alloc(47, ' ');
  message.write('O', 0);
  message.writeUInt32BE(number, 1);
  message.write(side, 5);
  message.writeUInt32BE(quantity, 6);
  message.write('DEMO', 10);
  message.writeBigUInt64BE(BigInt(price), 18);
  message.write('0YANN', 26);
  message.write('REFEREE', 31);
  message.writeUInt16BE(0, 45);
  return message;
}

// Quantity, price and match number of an Executed.
function executed(message) {
  assert.equal(message[0], 'E'.charCodeAt(0));
  return [message.readUInt32BE(13), message.readBigUInt64BE(17), message.readBigUInt64BE(26)];
}

// The messages of a file in which each stands behind its length.
function exported(...what) {
  const file = path.join(folder, 'exported');
  run('journal', 'export', venue, ...what, file, '--force');
  const data = fs.readFileSync(file);
  const messages = [];
  for (let at = 0; at < data.length; at += 2 + data.readUInt16BE(at))
    messages.push(data.subarray(at + 2, at + 2 + data.readUInt16BE(at)));
  return messages;
}

async function referee({ orders, data }) {
  const alice = await Session.login(orders, 'ALICE', '', 1);
  const bob = await Session.login(orders, 'BOB', '', 1);
  alice.client.send(enter(1, 'B', 100, 100000));
  await alice.until(2);
  bob.client.send(enter(1, 'S', 60, 99900));
  await bob.until(3);
  await alice.until(3);
  assert.equal(alice.kinds(), 'SAE');
  assert.equal(bob.kinds(), 'SAE');
  assert.deepEqual(executed(alice.received[2]), executed(bob.received[2]));
  await alice.logOut();

  bob.client.send(enter(2, 'S', 30, 99900));
  await bob.until(5);
  const back = await Session.login(orders, 'ALICE', alice.name, 4);
  await back.until(1);
  assert.deepEqual(executed(back.received[0]), executed(bob.received[4]));
  back.client.send(Buffer.from('Q'));
  await back.until(2);
  assert.equal(back.kinds(), 'EQ', 'nothing else was missed');

  assert.equal(await Session.login(orders, 'ALICE', '', 1, 'wrong'), 'A');
  assert.equal(await Session.login(orders, 'ALICE', '1901010000', 1), 'S');
  assert.equal(await Session.login(orders, 'ALICE', alice.name, 7), 'S');

  const file = exported('--itch');
  const feed = await Session.login(data, 'BOB', '', 1);
  assert.deepEqual(await feed.until(file.length), file);
  assert.deepEqual(exported('--reports', 'ALICE'), [...alice.received, ...back.received]);
  for (const session of [bob, back, feed])
    await session.logOut();
  const reports = alice.received.length + back.received.length + bob.received.length;
  console.log(`soupbintcp: received ${reports} reports, ${file.length} of the feed`);
}

async function main() {
  makeVenue();
  const started = await startVenue();
  try {
    await referee(started);
  } finally {
    const gone = once(started.child, 'exit');
    started.child.kill('SIGTERM');
    const [code] = await gone;
    fs.rmSync(folder, { recursive: true });
    assert.equal(code, 0, 'exit code of the venue');
  }
}

main().catch((error) => {
  console.error(`soup_node.js: ${error.stack}`);
  process.exitCode = 1;
});
