/**
 * Compares the time that a refused datagram takes with that of an accepted one, from the UDP socket's
 * callback to the queue, without system calls. One line for each reason:
 *
 *     bun bench/micro/refusal.ts [--tiny]
 *
 * The datagrams that are refused come from 1, 2, 1,000 and 65,536 addresses in turn. The figures are medians
 * of samples that alternate between both, less the time for the address string of each datagram.
 */

import { parseArgs } from "node:util";
import { Link } from "../../src/link/link.ts";
import { MemoryBudget } from "../../src/link/memory-budget.ts";
import { DrainingStreams } from "../../src/net/close-stream.ts";
import type { DatagramPort, DatagramReceiver } from "../../src/net/datagram-port.ts";
import type { HostNetwork } from "../../src/net/network.ts";
import type { StreamPort } from "../../src/net/stream-port.ts";
import { TimeSlice } from "../../src/net/time-slice.ts";
import { Counters, type DropReason } from "../../src/observe/counters.ts";
import { EventReporter } from "../../src/observe/event-reporter.ts";
import { readClientOptions } from "../../src/options/settings.ts";
import type { ClientOptions } from "../../src/options/tunnel-options.ts";
import { AddressFilter } from "../../src/tunnel/access/address-filter.ts";
import { UdpIngress } from "../../src/tunnel/peer/udp-ingress.ts";
import { SessionClient } from "../../src/tunnel/session/session-client.ts";
import { SessionSocket } from "../../src/tunnel/session/session-socket.ts";
import { SendWatch } from "../../src/tunnel/target/send-watch.ts";
import { Target } from "../../src/tunnel/target/target.ts";
import { cycle } from "./micro-bench.ts";

const { values } = parseArgs({ options: { tiny: { type: "boolean", default: false } } });
const [SAMPLES, TICKS, WARM_UP_TICKS, SESSIONS] = values.tiny ? [3, 2, 2, 10] : [31, 200, 3000, 10_000];
const TICK_DATAGRAMS = 32;
const SOURCES = [1, 2, 1000, 65_536];

const PORT = 5000;
const V4 = "10.0.1.1";
const V6 = "2001:db8:1111:2222:3333:4444:5555:6666";
const OWN = "10.0.0.2";
const payload = new Uint8Array(172).fill(7);

let ends: (() => void)[] = [];
const clock = {
  now: () => performance.now(),
  after: () => ({ cancel() {} }),
  endOfTick: (run: () => void) => void ends.push(run),
};
const slice = TimeSlice.of(clock);

/** One end of a tunnel, with sockets that take everything at once. */
class End {
  readonly counters = new Counters();
  readonly events = new EventReporter(() => slice.now());
  readonly sendWatch = new SendWatch(clock, this.events, () => endpoint(V4));
  receiver!: DatagramReceiver;
  readonly network = {
    clock,
    resolve: async (host: string) => [host],
    openDatagramPort: (_options: unknown, receiver: DatagramReceiver) => {
      this.receiver = receiver;
      return port();
    },
    broadcastNetworks: () => [],
    localAddresses: () => [OWN],
    sourceAddressTo: () => OWN,
    dial: () => ({ stream: new Promise<never>(() => {}), cancel() {} }),
  } as unknown as HostNetwork;

  link(): Link {
    const settings = {
      queueBytesMax: 4 << 20,
      maxDelayMs: 200,
      deadAfterMs: 15_000,
      inFlight: "auto",
    } as const;
    const link = new Link({ use: "peer", clock, counters: this.counters, settings });
    link.attach(stream(), () => {});
    return link;
  }

  async peer(host: string, options: Partial<ClientOptions> = {}): Promise<this> {
    const { network, events, counters, sendWatch } = this;
    const settings = readClientOptions({ connect: "192.0.2.9/1", target: `${host}/${PORT}`, ...options });
    const lookup = { host, port: PORT, family: undefined, from: undefined };
    const target = await Target.find({ network, events, counters, ...lookup });
    const sockets = { target, portOffset: 0, bindAddresses: undefined };
    new UdpIngress({ network, link: this.link(), settings, counters, events, sendWatch, ...sockets });
    return this;
  }

  sessionSocket(): this {
    const { network, events, counters, sendWatch } = this;
    const answering = new AddressFilter([V4]);
    const address = { target: endpoint(V4), broadcast: false, bind: "0.0.0.0", answering };
    const hooks = { trace: undefined, firstDatagrams: undefined, onAnswer() {}, onRefused: undefined };
    const settings = { anyPort: false };
    const link = this.link();
    new SessionSocket({ network, settings, counters, events, sendWatch, link, ...address, ...hooks });
    return this;
  }

  /** A client at its limit of sessions, all of them connected. */
  sessionClient(from: readonly string[] = []): this {
    const { network, events, counters } = this;
    const options = { connect: "192.0.2.9/1", target: `0.0.0.0/${PORT}`, perSource: true, from };
    const settings = readClientOptions(options);
    const shared = { budget: new MemoryBudget(4 << 20), draining: new DrainingStreams(clock) };
    const context = { network, transport: network, settings, counters, events, trace: undefined, ...shared };
    const client = new SessionClient(context, { addresses: ["0.0.0.0"], port: PORT }, SESSIONS);
    for (let index = 0; index < SESSIONS; index++) this.receiver.onDatagram(payload, PORT + index, V4);
    for (const { link } of client.sessions) link.attach(stream(), () => {});
    return this;
  }
}

function endpoint(address: string) {
  return { address, port: PORT };
}

function stream(): StreamPort {
  const ends = { local: endpoint(V4), remote: endpoint(V4), receive() {}, gauge: () => undefined };
  const write = (bytes: Uint8Array) => bytes.length;
  return { ...ends, write, pause() {}, resume() {}, shutdown() {}, terminate() {} } as unknown as StreamPort;
}

function port(): DatagramPort {
  const sender = { blocked: false, held: 0, from: undefined, add() {}, flush() {}, drop() {} };
  const ready = Promise.resolve();
  return {
    local: endpoint(OWN),
    reportsLocal: true,
    ready,
    sender: () => ({ ...sender }),
    kernelDrops: () => 0,
    close() {},
  };
}

/** Different addresses in turn, each time as a new string, as Bun brings them. */
function addresses(like: string, count: number): () => string {
  const next = cycle(Array.from({ length: count }, (_, index) => Buffer.from(otherThan(like, index))));
  return () => next().toString("latin1");
}

function otherThan(like: string, index: number): string {
  const [high, low] = [index >> 8, index & 255];
  return like === V6
    ? `2001:db8:1111:2222:3333:4444:${(4096 + high).toString(16)}:${4096 + low}`
    : `192.168.${high}.${low}`;
}

interface Side {
  readonly end: { receiver: DatagramReceiver };
  readonly port: number;
  readonly next: () => string;
}

function run({ end, port, next }: Side, ticks: number): void {
  for (let tick = 0; tick < ticks; tick++) {
    slice.begin(); // as the port does in a flood
    for (let count = 0; count < TICK_DATAGRAMS; count++) end.receiver.onDatagram(payload, port, next());
    const due = ends;
    ends = [];
    for (const end of due) end();
  }
}

/** Nanoseconds per datagram. */
function sample(side: Side): number {
  const start = Bun.nanoseconds();
  run(side, TICKS);
  return (Bun.nanoseconds() - start) / TICKS / TICK_DATAGRAMS;
}

function median(figures: number[]): number {
  return figures.sort((a, b) => a - b)[figures.length >> 1] as number;
}

/** The medians of both sides, sampled in turn. */
function compare(one: Side, other: Side): [number, number] {
  for (const side of [one, other]) run(side, WARM_UP_TICKS);
  const samples: [number[], number[]] = [[], []];
  for (let count = 0; count < SAMPLES; count++) {
    samples[0].push(sample(one));
    samples[1].push(sample(other));
  }
  return [median(samples[0]), median(samples[1])];
}

/** Takes the time for the strings alone. */
const ignoring = { receiver: { onDatagram() {}, onError() {} } };

async function row(
  reason: DropReason,
  like: string,
  make: () => End | Promise<End>,
  ports: [number, number],
) {
  const [accepting, refusing] = [await make(), await make()];
  const accepted = { end: accepting, port: ports[0], next: same(like) };
  const cells: string[] = [];
  for (const count of SOURCES) {
    const next = reason === "wrong port" || reason === "loop" ? same(like) : addresses(like, count);
    const refused = { end: refusing, port: ports[1], next };
    const [yes, no] = compare(accepted, refused);
    const [yesString, noString] = compare({ ...accepted, end: ignoring }, { ...refused, end: ignoring });
    const [ns, acceptedNs] = [no - noString, yes - yesString];
    cells.push(`${ns.toFixed(0)} / ${acceptedNs.toFixed(0)} = ${(ns / acceptedNs).toFixed(2)}`);
  }
  const { received, dropped } = refusing.counters.outbound;
  if (dropped[reason] === 0) throw new Error(`no datagram of ${received} was refused as ${reason}`);
  return [make.name, reason, like, ...cells];
}

function same(address: string): () => string {
  const bytes = Buffer.from(address);
  return () => bytes.toString("latin1");
}

const peer4 = () => new End().peer(V4);
const peer6 = () => new End().peer(V6);
const anySource = () => new End().peer(V4, { anySource: true });
const sessionServer = () => new End().sessionSocket();
const sessionSources = () => new End().sessionClient([V4]);
const sessionClient = () => new End().sessionClient();

process.stdout.write("ns per datagram, refused / accepted, from 1, 2, 1,000 and 65,536 addresses\n");
for (const cells of [
  await row("wrong source", V4, peer4, [777, 777]),
  await row("wrong source", V6, peer6, [777, 777]),
  await row("loop", OWN, anySource, [777, PORT]),
  await row("wrong source", V4, sessionServer, [PORT, PORT]),
  await row("wrong port", V4, sessionServer, [PORT, PORT + 1]),
  await row("wrong source", V4, sessionSources, [PORT, PORT]),
  await row("session limit", V4, sessionClient, [PORT, PORT]),
])
  process.stdout.write(`${cells.map((cell, index) => cell.padEnd(index === 2 ? 40 : 18)).join("")}\n`);
process.exit(0);
