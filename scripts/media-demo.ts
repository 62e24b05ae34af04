/**
 * A demonstration with media: ffmpeg sends a test picture and a tone as RTP and RTCP through a tunnel in RTP
 * mode, and ffprobe decodes them at the other end. The exit status is 1 when it cannot decode them.
 */

import { freeEvenPort } from "./free-ports.ts";
import { RunningProgram, UDPTUNNEL } from "./running-program.ts";

/** One loopback address for sender, receiver and tunnel, as if each ran on a host of its own. */
const SENDER = "127.0.0.3";
const RECEIVER = "127.0.0.2";
const TUNNEL = "127.0.0.1";
const WATCH_S = 3;
/** Long enough: the sender starts before the receiver is ready and must not stop before it. */
const SEND_S = 30;
const DECODE_MS = 20_000;

interface DecodedStream {
  readonly codec_name: string;
  readonly codec_type: string;
  readonly nb_read_frames?: string;
}

/** Everything to close at the end. */
const running = new AsyncDisposableStack();

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => void running.disposeAsync().then(() => process.exit(0)));
}
process.exitCode = await demonstrate().finally(() => running.disposeAsync());

/** @returns the exit status. */
async function demonstrate(): Promise<number> {
  const missing = ["ffmpeg", "ffprobe"].filter((name) => !Bun.which(name));
  if (missing.length > 0) {
    process.stderr.write(`media-demo: ${missing.join(" and ")} missing; as root: apt-get install ffmpeg\n`);
    return 1;
  }
  print("ffmpeg --RTP, RTCP--> udptunnel -c <==TCP, TCP==> udptunnel -s --RTP, RTCP--> ffprobe\n");
  const [tcp, to, from] = [await freeEvenPort(), await freeEvenPort(), await freeEvenPort()];
  const server = tunnel("-s", `${TUNNEL}/${tcp}`, `${RECEIVER}/${to}`);
  await server.said(/listening/);
  const client = tunnel("-c", `${TUNNEL}/${tcp}`, `${SENDER}/${from}`);
  await client.said(/: connected/);

  const receiver = start(receive(to), "pipe");
  start(send(from), "ignore");
  const timer = setTimeout(() => receiver.kill(), DECODE_MS);
  const decoded: DecodedStream[] = JSON.parse((await readAll(receiver.stdout)) || "{}").streams ?? [];
  clearTimeout(timer);
  await running.disposeAsync();

  const [rtp = 0, rtcp = 0] = [from, from + 1].map((port) => countDatagrams(client, `${SENDER}:${port}`));
  print(`\ncarried: ${rtp} RTP and ${rtcp} RTCP packets`);
  for (const { codec_type, codec_name, nb_read_frames } of decoded) {
    print(`decoded: ${nb_read_frames ?? 0} frames of ${codec_type} (${codec_name})`);
  }
  const frames = decoded.map((stream) => Number(stream.nb_read_frames ?? 0));
  const complete = frames.length === 2 && frames.every((count) => count > 0) && rtcp > 0;
  if (!complete) print("the decoded streams are not complete");
  return complete ? 0 : 1;
}

/** A test picture and a tone, as an MPEG transport stream over RTP (RFC 2250). */
function send(port: number): string[] {
  const url = `rtp://${TUNNEL}:${port}?localaddr=${SENDER}&localrtpport=${port}&localrtcpport=${port + 1}`;
  const picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"];
  const tone = ["-f", "lavfi", "-i", "sine=frequency=440"];
  const video = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25"];
  const output = ["-c:a", "aac", "-t", `${SEND_S}`, "-f", "rtp_mpegts", `${url}&pkt_size=1316`];
  return ["ffmpeg", "-v", "error", "-nostdin", "-re", ...picture, "-re", ...tone, ...video, ...output];
}

function receive(port: number): string[] {
  const what = "stream=codec_type,codec_name,nb_read_frames";
  const url = `rtp://${RECEIVER}:${port}?localaddr=${RECEIVER}`;
  const watch = ["-count_frames", "-read_intervals", `%+${WATCH_S}`];
  return ["ffprobe", "-v", "quiet", ...watch, "-show_entries", what, "-of", "json", url];
}

/** The number of datagrams from `source` in the log of a tunnel. */
function countDatagrams(program: RunningProgram, source: string): number {
  return program.lines.filter((line) => line.includes(" outbound: ") && line.endsWith(` ${source}`)).length;
}

/**
 * Starts one end. It binds to one address, so that the media programs can use the same port on other
 * addresses.
 */
function tunnel(role: string, tcp: string, udp: string): RunningProgram {
  const options = ["-r", role, tcp, "--bind", TUNNEL, udp];
  print(`$ udptunnel ${options.join(" ")}`);
  return running.use(new RunningProgram([...UDPTUNNEL, "-vv", ...options]));
}

function start<Out extends "pipe" | "ignore">(command: string[], stdout: Out) {
  print(`$ ${command.join(" ")}`);
  const child = Bun.spawn(command, { stdin: "ignore", stdout, stderr: "ignore" });
  running.defer(async () => {
    child.kill();
    await child.exited;
  });
  return child;
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
