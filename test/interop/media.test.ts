import { expect } from "bun:test";
import { testNeeding } from "../support/need.ts";

const DEMO = new URL("../../scripts/media-demo.ts", import.meta.url).pathname;

testNeeding("ffmpeg", "ffprobe")(
  "ffmpeg's RTP and RTCP cross a tunnel in RTP mode, and ffprobe decodes them",
  async () => {
    const demo = Bun.spawn([process.execPath, DEMO], { stdout: "pipe", stderr: "inherit" });
    const transcript = await demo.stdout.text();
    expect(transcript).toMatch(/carried: [1-9]\d* RTP and [1-9]\d* RTCP packets/);
    expect(transcript).toMatch(/decoded: [1-9]\d* frames of video \(h264\)/);
    expect(transcript).toMatch(/decoded: [1-9]\d* frames of audio \(aac\)/);
    expect(await demo.exited).toBe(0);
  },
);
