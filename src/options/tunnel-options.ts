/** The options of a tunnel, as the library accepts them. */

/**
 * Where to listen: text as `[TCP-addr/]TCP-port`, a port, or an object. Without an address: on all addresses.
 */
export type ListenAddress =
  | string
  | number
  | { readonly address?: string | undefined; readonly port: number };

/** A server to connect to: text as `TCP-addr[/TCP-port]`, or an object. The port defaults to the UDP port. */
export type ConnectAddress = string | { readonly host: string; readonly port?: number | undefined };

/**
 * A UDP address: text as `UDP-addr/UDP-port[/ttl]`, or an object. The time to live, 0 to 255, is for
 * multicast groups.
 */
export type TargetAddress =
  | string
  | { readonly host: string; readonly port: number; readonly ttl?: number | undefined };

/** A local UDP address: text as `ADDR[/PORT]`, or an object. */
export type BindAddress = string | { readonly host: string; readonly port?: number | undefined };

/**
 * Options of both ends. Addresses are host names or literals; an IPv6 literal has no brackets and may have a
 * zone.
 */
export interface TunnelOptions {
  /**
   * Datagrams from the tunnel are sent here, and datagrams received on the same port number enter the tunnel.
   * With `perSource` a client listens here instead; port 0 then lets the system choose.
   */
  readonly target: TargetAddress;
  /**
   * The local UDP address. Only a client with `perSource` accepts a port: it listens there in place of the
   * target's. Default: any address of the target's family; for a client with `perSource`, `target`.
   */
  readonly bind?: BindAddress | undefined;
  /** Use addresses of this family only. Default: both. */
  readonly family?: 4 | 6 | undefined;
  /**
   * Use one TCP connection for each UDP source, so that answers reach the right source. Both ends need it.
   * Not allowed with `rtp`, `udpSendOnly`, `udpReceiveOnly`, `once` or a multicast target. Default: false.
   */
  readonly perSource?: boolean | undefined;
  /**
   * Relay RTP and RTCP on ports N and N+1. Every port given must be even. Both ends need it. Default: false.
   */
  readonly rtp?: boolean | undefined;
  /** End when the TCP connection ends or cannot be made. Default: false. */
  readonly once?: boolean | undefined;
  /** Only send UDP; receive none. Default: false. */
  readonly udpSendOnly?: boolean | undefined;
  /** Only receive UDP; datagrams from the tunnel are counted and discarded. Default: false. */
  readonly udpReceiveOnly?: boolean | undefined;
  /**
   * The interface for multicast or a link-local target, by name or by one of its addresses. Default: chosen
   * by the system. A link-local target needs this or a zone if several interfaces have link-local addresses.
   */
  readonly interface?: string | undefined;
  /** Join the multicast group for datagrams from these literal addresses only. Default: from all. */
  readonly source?: string | readonly string[] | undefined;
  /** Deliver datagrams to members of the multicast group on this host, too. Default: false. */
  readonly loop?: boolean | undefined;
  /**
   * Relay datagrams from any UDP source, not only from the target's address. Not allowed with `from`.
   * Default: false.
   */
  readonly anySource?: boolean | undefined;
  /**
   * Relay datagrams from these addresses, too: literals, `/PREFIX` is optional. UDP sources can be forged, so
   * this does not authenticate. Default: the target's address only. A client with `perSource` relays from
   * these addresses only; its default is all.
   */
  readonly from?: string | readonly string[] | undefined;
  /**
   * Both ends must prove that they know this secret before datagrams are relayed. It has 16 to 4096 bytes,
   * text as UTF-8, not counting a line break at the end. It does not encrypt. Both ends need it. Not allowed
   * with `secretFile`. Default: none.
   */
  readonly secret?: Uint8Array | string | undefined;
  /** The file that holds the secret. Only its owner should be able to read it. Default: none. */
  readonly secretFile?: string | undefined;
  /**
   * Encrypt the TCP connection with TLS 1.2 or newer. Both ends need it. The client always verifies the
   * server. Default: false.
   */
  readonly tls?: boolean | undefined;
  /**
   * The file with this end's certificate in PEM, followed by the intermediate certificates. A server with
   * `tls` needs one. Like the other certificate options, this is a path, because `reloadCertificates` reads
   * the files again. Write PEM text to a file first; a key to one of mode 0600.
   */
  readonly cert?: string | undefined;
  /** The file with the certificate's private key, in PEM and not encrypted. */
  readonly key?: string | undefined;
  /**
   * Close a connection whose peer was silent, or read nothing, for this long: 2000 to 3,600,000 ms. Default:
   * 15,000.
   */
  readonly deadAfterMs?: number | undefined;
  /**
   * With `perSource`, close a session without traffic for this long: up to 604,800,000 ms; 0 means never.
   * Default: 180,000.
   */
  readonly idleTimeoutMs?: number | undefined;
  /** With `perSource`, the maximum number of sessions at once: 1 to 1,000,000. Default: 8192. */
  readonly maxSessions?: number | undefined;
  /**
   * Drop a datagram that waited this long for the TCP connection: up to 600,000 ms; 0 means no limit.
   * Default: 200.
   */
  readonly maxDelayMs?: number | undefined;
  /** The maximum of queued bytes for one TCP connection: 128 KiB to 1 GiB. Default: 4 MiB. */
  readonly queueBytesMax?: number | undefined;
  /**
   * The maximum of unsent bytes of one TCP connection in the kernel: 4 KiB to 1 GiB. Default: chosen by the
   * tunnel.
   */
  readonly unsentBytesMax?: number | undefined;
  /**
   * `auto` limits the data in flight to what the path carries (Linux only); `kernel` does not. Default:
   * `auto`.
   */
  readonly inFlight?: "auto" | "kernel" | undefined;
  /**
   * The size of the UDP socket's buffers in the kernel: 4 KiB to 1 GiB. The kernel may grant less. Default: 4
   * MiB.
   */
  readonly socketBufferBytes?: number | undefined;
  /**
   * `auto` passes many datagrams to the kernel in one call (Linux only); `off` passes them one by one.
   * Default: `auto`.
   */
  readonly offload?: "auto" | "off" | undefined;
  /**
   * The traffic class of UDP and TCP packets: the whole byte, 0 to 255, or a DSCP name such as `EF`. Default:
   * the system's.
   */
  readonly tos?: number | string | undefined;
  /** Linux SO_MARK of every socket, 1 to 4,294,967,295. It needs CAP_NET_ADMIN (socket(7)). Default: none. */
  readonly mark?: number | undefined;
}

/** Options of a server, the end that listens for the TCP connection. */
export interface ServerOptions extends TunnelOptions {
  /** Where to listen. With port 0, the system chooses a port. */
  readonly listen: ListenAddress;
  /**
   * Accept clients from these addresses only: literals, `/PREFIX` is optional. This does not authenticate.
   * Default: all.
   */
  readonly allow?: string | readonly string[] | undefined;
  /** Refuse to start unless clients must authenticate; `allow` does not count. Default: false. */
  readonly requireAuth?: boolean | undefined;
  /**
   * The file with authorities, in PEM: only clients with a certificate from one of them are accepted.
   * Default: none.
   */
  readonly clientCa?: string | undefined;
  /**
   * With `perSource`, the maximum number of sessions of one TCP address: 1 to 1,000,000. Default:
   * `maxSessions`.
   */
  readonly maxSessionsPerAddress?: number | undefined;
  /**
   * With `perSource`, accept answers from every port of the target's host. The session then sends to the port
   * that answered last. Default: false.
   */
  readonly anyPort?: boolean | undefined;
}

/** Options of a client, the end that dials the TCP connection. */
export interface ClientOptions extends TunnelOptions {
  /** The server. Several are tried in order: when one fails, the next. */
  readonly connect: ConnectAddress | readonly ConnectAddress[];
  /**
   * The file with the authorities, in PEM, whose certificates servers must have. Default: the system's
   * authorities.
   */
  readonly ca?: string | undefined;
  /**
   * The only accepted public key of a server, whatever its name and its authority: `sha256:` and the hash of
   * its SubjectPublicKeyInfo in hexadecimal or base64. Not allowed with `ca`. Default: none.
   */
  readonly pin?: string | undefined;
  /** The name to ask the server for, which its certificate must have. Default: the host in `connect`. */
  readonly sni?: string | undefined;
  /** The local address to connect from. Default: chosen by the system. */
  readonly tcpBind?: string | undefined;
}
