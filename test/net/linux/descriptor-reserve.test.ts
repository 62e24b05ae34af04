import { expect, test } from "bun:test";
import { DescriptorReserve } from "../../../src/net/linux/descriptor-reserve.ts";

test.each([
  [64, 48, 56],
  [128, 96, 112],
  [1024, 928, 976],
  [65_536, 65_440, 65_488],
])(
  "of %d descriptors, connections are accepted below %d and sockets opened below %d",
  (limit, accept, open) => {
    const reserve = new DescriptorReserve(limit);
    expect([reserve.mayAccept(accept - 1), reserve.mayAccept(accept)]).toEqual([true, false]);
    expect([reserve.mayOpen(open - 1), reserve.mayOpen(open)]).toEqual([true, false]);
  },
);

test("without a known limit every descriptor may be kept", () => {
  const reserve = new DescriptorReserve(Infinity);
  expect([reserve.mayAccept(1e6), reserve.mayOpen(1e6)]).toEqual([true, true]);
});
