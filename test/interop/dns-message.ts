/** The part of DNS needed to query one address (RFC 1035, 4.1). */

const HEADER_BYTES = 12;
const RECURSION_DESIRED = 0x0100;
const TYPE_A = 1;
const CLASS_IN = 1;

/** A query for the IPv4 address of a name, as one datagram. */
export function encodeQuery(id: number, name: string): Uint8Array {
  const labels = name.split(".").map((label) => Buffer.from(label, "latin1"));
  const question = Buffer.concat([
    ...labels.flatMap((label) => [Buffer.of(label.length), label]),
    Buffer.of(0, 0, TYPE_A, 0, CLASS_IN),
  ]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(RECURSION_DESIRED, 2);
  header.writeUInt16BE(1, 4); // one question
  return Buffer.concat([header, question]);
}

/** The id of an answer, and its address: the last four bytes, because the answer is one A record. */
export function decodeAnswer(message: Buffer): { id: number; code: number; address: string } {
  return {
    id: message.readUInt16BE(0),
    code: message.readUInt16BE(2) & 0x0f,
    address: [...message.subarray(-4)].join("."),
  };
}
