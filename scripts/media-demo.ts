/**
 * The demonstration with media: ffmpeg sends a test picture and a tone as RTP and RTCP through a tunnel in RTP mode,
 * and ffprobe decodes what comes out at the other end. Exits 1 when nothing could be decoded.
 */

import { freeEvenPort } from "./free-ports.ts";
import { RunningProgram, UDPTUNNEL } from "./running-program.ts";

/** Sender, receiver and tunnel have an address each, as each would have a host of its own. */
const SENDER = "127.0.0.3";
const RECEIVER = "127.0.0.2";
const TUNNEL = "127.0.0.1";
const WATCH_S = 3;
/** The sender starts before the receiver is ready, and outlasts it. */
const SEND_S = 30;
const DECODE_MS = 20_000;

interface DecodedStream {
  readonly codec_name: string;
  readonly codec_type: string;
  readonly nb_read_frames?: string;
}

/** Everything that must be gone at the end. */
const running = new AsyncDisposableStack();

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.on(signal, () => void running.disposeAsync().then(() => process.exit(0)));
}
process.exitCode = await demonstrate();

/** @returns the exit status. */
async function demonstrate(): Promise<number> {
  const lacking = ["ffmpeg", "ffprobe"].filter((name) => !Bun.which(name));
  if (lacking.length > 0) {
    process.stderr.write(`media-demo: ${lacking.join(" and ")} missing; as root: apt-get install ffmpeg\n`);
    return 1;
  }
  say("ffmpeg --RTP, RTCP--> udptunnel -c <==TCP, TCP==> udptunnel -s --RTP, RTCP--> ffprobe\n");
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

  const [rtp = 0, rtcp = 0] = [from, from + 1].map((port) => crossed(client, `${SENDER}:${port}`));
  say(`\ncarried: ${rtp} RTP and ${rtcp} RTCP packets`);
  for (const { codec_type, codec_name, nb_read_frames } of decoded) {
    say(`decoded: ${nb_read_frames ?? 0} frames of ${codec_type} (${codec_name})`);
  }
  const frames = decoded.map((stream) => Number(stream.nb_read_frames ?? 0));
  const wellDone = frames.length === 2 && frames.every((count) => count > 0) && rtcp > 0;
  if (!wellDone) say("that is not what was sent");
  return wellDone ? 0 : 1;
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

/** How many datagrams from `source` a tunnel says it has taken. */
function crossed(program: RunningProgram, source: string): number {
  return program.lines.filter((line) => line.includes(" outbound: ") && line.endsWith(` ${source}`)).length;
}

/** Starts one end. Bound to one address it leaves the same port on the others to the media programs. */
function tunnel(role: string, tcp: string, udp: string): RunningProgram {
  const options = ["-r", role, tcp, "--bind", TUNNEL, udp];
  say(`$ udptunnel ${options.join(" ")}`);
  return running.use(new RunningProgram([...UDPTUNNEL, "-vv", ...options]));
}

function start<Out extends "pipe" | "ignore">(command: string[], stdout: Out) {
  say(`$ ${command.join(" ")}`);
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

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
