/**
 * A program on a local network: answers datagrams that start with "question", and can send one at start.
 *
 *     lan-host.ts PORT [TO-ADDRESS TO-PORT TEXT [FROM-ADDRESS]]
 *
 * It writes `ready`, then `TEXT from ADDRESS` for each datagram.
 */

const [port = "", to, toPort, text = "", from = "0.0.0.0"] = Bun.argv.slice(2);

const socket = await Bun.udpSocket({
  hostname: from,
  port: Number(port),
  binaryType: "buffer",
  socket: {
    data(self, payload, senderPort, sender) {
      process.stderr.write(`${payload} from ${sender}\n`);
      if (payload.toString().startsWith("question")) self.send(`answer to ${payload}`, senderPort, sender);
    },
    error() {},
  },
});
socket.setBroadcast(true);
if (to !== undefined) socket.send(text, Number(toPort), to);
process.stderr.write("ready\n");

export {};
