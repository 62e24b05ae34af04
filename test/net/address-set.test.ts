import { describe, expect, test } from "bun:test";
import { BlockList } from "node:net";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { AddressSet } from "../../src/net/address-set.ts";

/** An address as 16 bytes; IPv4 as its IPv4-mapped address. */
type Bytes = readonly number[];

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const isMapped = (bytes: Bytes) => MAPPED.every((byte, index) => bytes[index] === byte);

// Few values, so that addresses often fall into a block and often have runs of zeros.
const byte = fc.oneof(fc.constantFrom(0, 0, 1, 10, 128, 255), fc.nat(255));
const bytes = fc.oneof(
  fc.array(byte, { minLength: 4, maxLength: 4 }).map((ipv4) => [...MAPPED, ...ipv4]),
  fc.array(byte, { minLength: 16, maxLength: 16 }),
);

/** The ways to write an address. Each of them is valid (RFC 4291, 2.2). */
function spellings(address: Bytes): string[] {
  const ipv6 = new ipaddr.IPv6([...address]);
  const long = ipv6.parts.map((part) => part.toString(16).padStart(4, "0"));
  const tail = address.slice(12).join(".");
  const mixed = [...long.slice(0, 6), tail].join(":");
  const short = [ipv6.toRFC5952String(), ipv6.toNormalizedString()];
  const all = [...short, long.join(":"), long.join(":").toUpperCase(), mixed];
  return isMapped(address) ? [...all, tail, `::ffff:${tail}`, `::FFFF:${tail}`] : all;
}

const block = fc.record({ bytes, bits: fc.option(fc.integer({ min: 0, max: 128 })), spelling: fc.nat() });
type Block = { bytes: Bytes; bits: number | null; spelling: number };

function blockText(block: Block): string {
  const all = spellings(block.bytes);
  const literal = all[block.spelling % all.length] as string;
  if (block.bits === null) return literal;
  return `${literal}/${literal.includes(":") ? block.bits : Math.min(32, block.bits)}`;
}

/** The answer of node:net. It is given each address in its shortest form, so that it reads no mapped ones. */
function oracle(blocks: readonly string[]): (address: Bytes) => boolean {
  const list = new BlockList();
  for (const text of blocks) {
    const [literal = "", bits] = text.split("/");
    const family = literal.includes(":") ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(literal, family);
    else list.addSubnet(literal, Number(bits), family);
  }
  return (address) =>
    isMapped(address)
      ? list.check(address.slice(12).join("."), "ipv4")
      : list.check(new ipaddr.IPv6([...address]).toRFC5952String(), "ipv6");
}

test("a set answers as BlockList of node:net does, whatever the spelling and the zone", () => {
  let [yes, no] = [0, 0];
  fc.assert(
    fc.property(
      fc.array(block, { maxLength: 4 }),
      fc.array(bytes, { maxLength: 4 }),
      fc.nat(127),
      (blocks, others, bit) => {
        const texts = blocks.map(blockText);
        const set = new AddressSet(texts);
        const expected = oracle(texts);
        // Each block's own address, and the same with one other bit.
        const near = blocks.map(({ bytes }) =>
          bytes.with(bit >> 3, (bytes[bit >> 3] as number) ^ (1 << (bit & 7))),
        );
        for (const address of [...blocks.map(({ bytes }) => bytes), ...near, ...others]) {
          const answer = expected(address);
          answer ? yes++ : no++;
          for (const literal of spellings(address))
            for (const zone of ["", "%3", "%br-lan.5"])
              expect(set.has(literal + zone), `${literal}${zone} in ${texts}`).toBe(answer);
        }
      },
    ),
    { numRuns: 300 },
  );
  expect([yes > 100, no > 100]).toEqual([true, true]);
});

describe("a set", () => {
  test.each(["", "example", "1.2.3", "1.2.3.4.5", "::g"])("cannot hold %p", (text) => {
    expect(() => new AddressSet([text])).toThrow(`${text} is not an address`);
  });

  test("without blocks has no address", () => {
    expect(["0.0.0.0", "::", "::ffff:0.0.0.0"].filter((literal) => new AddressSet([]).has(literal))).toEqual(
      [],
    );
  });
});
