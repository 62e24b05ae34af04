import { afterEach, expect, test } from "bun:test";
import { configureSync, type LogRecord, resetSync } from "@logtape/logtape";
import { startServer } from "../../src/index.ts";
import { EventLog, PENDING_MAX } from "../../src/observe/event-log.ts";
import { Redactor } from "../../src/observe/redact.ts";
import { MemoryNetwork } from "../support/memory/network.ts";
import { CLIENT, Scene, SERVER, SERVER_APP } from "../support/memory-tunnels.ts";
import { until } from "../support/until.ts";

const nameOf = (key: string) => key;

afterEach(() => resetSync());

/** Configures LogTape as a service that embeds the library does. @returns the collected records. */
function collect(): LogRecord[] {
  const records: LogRecord[] = [];
  configureSync({
    sinks: { memory: (record) => void records.push(record) },
    loggers: [
      { category: ["udptunnel"], sinks: ["memory"], lowestLevel: "trace" },
      { category: ["logtape", "meta"], lowestLevel: "error" },
    ],
  });
  return records;
}

test("events reach the sinks that the process has configured, under the tunnel's name", async () => {
  const records = collect();
  const { wire } = new Scene();
  const options = { listen: `${SERVER}/4000`, target: `${SERVER_APP}/5000`, allow: CLIENT };
  const tunnel = await startServer(options, { network: new MemoryNetwork(wire, SERVER), name: "media" });
  await until("the record", () => records.length > 0);
  expect(records[0]).toMatchObject({
    category: ["udptunnel", "media"],
    level: "info",
    message: ["listening on TCP 10.0.0.1:4000; relaying UDP on 10.0.0.1:5000"],
    properties: { event: "listening", tcp: [{ address: "10.0.0.1", port: 4000 }] },
  });
  await tunnel.close();
});

test("records keep their order while LogTape is loaded, with the number of suppressed ones", async () => {
  const records = collect();
  const { promise, resolve } = Promise.withResolvers<typeof import("@logtape/logtape")>();
  const log = new EventLog({ name: "a", nameOf, load: () => promise });
  const event = { type: "loop detected", source: { address: "192.0.2.1", port: 1 } } as const;
  log.onEvent(event, "warning", 0);
  log.log("error", "{braces} stay");
  log.onEvent(event, "warning", 41);
  expect(records).toEqual([]);
  resolve(await import("@logtape/logtape"));
  await log.flushed();
  log.log("info", "later");
  expect(records.map(({ level }) => level)).toEqual(["warning", "error", "warning", "info"]);
  expect(records[1]?.message).toEqual(["{braces} stay"]);
  expect(records[2]?.message[0]).toEndWith(" (41 more like this were not shown)");
  expect(records[2]?.properties).toMatchObject({ repeats: 41 });
});

test("when LogTape cannot be loaded, the next record tries again, and no record is lost", async () => {
  const records = collect();
  let loads = 0;
  const load = async () => {
    if (++loads === 1) throw new Error("EMFILE");
    return await import("@logtape/logtape");
  };
  const log = new EventLog({ name: "a", nameOf, load });
  log.log("info", "one");
  await log.flushed();
  expect(records).toEqual([]);
  log.log("info", "two");
  await log.flushed();
  expect(records.map(({ message }) => message[0])).toEqual(["one", "two"]);
});

test("records that do not fit while LogTape is loaded are counted and reported", async () => {
  const records = collect();
  const { promise, resolve } = Promise.withResolvers<typeof import("@logtape/logtape")>();
  const log = new EventLog({ name: "a", nameOf, load: () => promise });
  for (let count = 0; count < PENDING_MAX + 3; count++) log.log("info", `${count}`);
  resolve(await import("@logtape/logtape"));
  await log.flushed();
  log.log("info", "later");
  expect(records).toHaveLength(PENDING_MAX + 2);
  expect(records.at(-3)?.message).toEqual([`${PENDING_MAX - 1}`]);
  expect(records.at(-2)).toMatchObject({
    level: "warning",
    message: ["3 log records are missing here: LogTape was not loaded in time"],
    properties: { dropped: 3 },
  });
  expect(records.at(-1)?.message).toEqual(["later"]);
});

test("events below the lowest level do not load LogTape; text does", async () => {
  let loads = 0;
  const load = () => {
    loads++;
    return import("@logtape/logtape");
  };
  const log = new EventLog({ name: "a", nameOf, lowestLevel: "warning", load });
  log.onEvent({ type: "socket settings" } as never, "info", 0);
  await log.flushed();
  expect(loads).toBe(0);
  log.log("info", "always");
  await log.flushed();
  expect(loads).toBe(1);
});

test("with a redactor, no event, datagram or text has an address", async () => {
  const records = collect();
  const log = new EventLog({ name: "a", nameOf, redactor: new Redactor() });
  const source = { address: "192.0.2.1", port: 7 };
  log.onEvent({ type: "loop detected", source }, "warning", 0);
  log.onDatagram("outbound", source, 5);
  log.log("error", "cannot listen on 192.0.2.1:7", { peer: source });
  await log.flushed();
  expect(records).toHaveLength(3);
  expect(JSON.stringify(records)).not.toContain("192.0.2");
  expect(records[1]?.message).toEqual(["outbound: 5 bytes from hidden:7"]);
});
