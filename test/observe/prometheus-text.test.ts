import { expect, test } from "bun:test";
import { type Metric, prometheusText } from "../../src/observe/prometheus-text.ts";
import { testNeeding } from "../support/need.ts";

/** One metric for each rule of the format. */
const METRICS: readonly Metric[] = [
  {
    name: "a_total",
    type: "counter",
    help: 'A back\\slash, a line\nfeed and "quotes".',
    samples: [
      [{}, 0],
      [{ tunnel: 'C:\\a "b"\nc', reason: "queue full" }, 1e21],
    ],
  },
  {
    name: "b_bytes",
    type: "gauge",
    help: "Numbers.",
    samples: [NaN, Infinity, -Infinity, -1.5e-7].map((value, index) => [{ index: `${index}` }, value]),
  },
  {
    name: "c_seconds",
    type: "histogram",
    help: "Buckets.",
    samples: [
      [{ tunnel: "a" }, { bounds: [0.1, 5], counts: [2, 0, 3], sum: 60.5 }],
      [{ tunnel: "b" }, { bounds: [0.1], counts: new Float64Array(2), sum: 0 }],
    ],
  },
  { name: "d_info", type: "gauge", help: "No value.", samples: [] },
];

const TEXT = String.raw`# HELP a_total A back\\slash, a line\nfeed and "quotes".
# TYPE a_total counter
a_total 0
a_total{tunnel="C:\\a \"b\"\nc",reason="queue full"} 1e+21
# HELP b_bytes Numbers.
# TYPE b_bytes gauge
b_bytes{index="0"} NaN
b_bytes{index="1"} +Inf
b_bytes{index="2"} -Inf
b_bytes{index="3"} -1.5e-7
# HELP c_seconds Buckets.
# TYPE c_seconds histogram
c_seconds_bucket{tunnel="a",le="0.1"} 2
c_seconds_bucket{tunnel="a",le="5"} 2
c_seconds_bucket{tunnel="a",le="+Inf"} 5
c_seconds_sum{tunnel="a"} 60.5
c_seconds_count{tunnel="a"} 5
c_seconds_bucket{tunnel="b",le="0.1"} 0
c_seconds_bucket{tunnel="b",le="+Inf"} 0
c_seconds_sum{tunnel="b"} 0
c_seconds_count{tunnel="b"} 0
# HELP d_info No value.
# TYPE d_info gauge
`;

test("escapes, numbers, buckets and metrics without a value are written as the format says", () => {
  expect(prometheusText(METRICS)).toBe(TEXT);
});

testNeeding("promtool")("Prometheus' own parser accepts the text", () => {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["promtool", "check", "metrics"], {
    stdin: Buffer.from(prometheusText(METRICS)),
  });
  expect({ exitCode, output: `${stdout}${stderr}` }).toEqual({ exitCode: 0, output: "" });
});
