/** Where to listen: text as `[TCP-addr/]TCP-port`, a port, or its parts. Without an address, all are listened on. */
export type ListenAddress =
  | string
  | number
  | { readonly address?: string | undefined; readonly port: number };

/** A server to connect to: text as `TCP-addr[/TCP-port]`, or its parts. The port defaults to the UDP port. */
export type ConnectAddress = string | { readonly host: string; readonly port?: number | undefined };

/** A UDP address: text as `UDP-addr/UDP-port[/ttl]`, or its parts. The time to live, 0 to 255, is for multicast groups. */
export type TargetAddress =
  | string
  | { readonly host: string; readonly port: number; readonly ttl?: number | undefined };

/** A local UDP address: text as `ADDR[/PORT]`, or its parts. */
export type BindAddress = string | { readonly host: string; readonly port?: number | undefined };

/** What both ends of a tunnel take. Addresses are names or literals, IPv6 without brackets and perhaps with a zone. */
export interface TunnelOptions {
  /**
   * Where datagrams from the tunnel are sent; what comes to the same port is carried. With `perSource` a client listens here
   * instead, and port 0 lets the system choose.
   */
  readonly target: TargetAddress;
  /**
   * The local UDP address: text as `ADDR[/PORT]`, or its parts. Default: any of the target's family; for a client with
   * `perSource`, `target`. Only such a client takes a port here: it listens on that in place of the target's.
   */
  readonly bind?: BindAddress | undefined;
  /** Use addresses of this family only. Default: both. */
  readonly family?: 4 | 6 | undefined;
  /**
   * A TCP connection for every UDP source, so that answers find their way back; to be given on both ends. Does not go with `rtp`,
   * `udpSendOnly`, `udpReceiveOnly`, `once` or a multicast target. Default: false.
   */
  readonly perSource?: boolean | undefined;
  /** RTP and RTCP on ports N and N+1, where every port given is even; to be given on both ends. Default: false. */
  readonly rtp?: boolean | undefined;
  /** End when the TCP connection ends or cannot be made. Default: false. */
  readonly once?: boolean | undefined;
  /** Never listen on UDP. Default: false. */
  readonly udpSendOnly?: boolean | undefined;
  /** Never send on UDP; what comes over TCP is counted and discarded. Default: false. */
  readonly udpReceiveOnly?: boolean | undefined;
  /** The interface for multicast, by name or by one of its addresses. Default: the system's choice. */
  readonly interface?: string | undefined;
  /** Join the multicast group for datagrams from these literal addresses only. Default: from all. */
  readonly source?: string | readonly string[] | undefined;
  /** Let members of the multicast group on this host take part. Default: false. */
  readonly loop?: boolean | undefined;
  /** Relay datagrams from any UDP source, not from the target's address alone. Does not go with `from`. Default: false. */
  readonly anySource?: boolean | undefined;
  /** Who may send beside the target: literals, each perhaps with `/PREFIX`. This is no authentication. Default: nobody. */
  readonly from?: string | readonly string[] | undefined;
  /**
   * What both ends must prove to know before anything is relayed: 16 to 4096 bytes, text as UTF-8, of which a line break at the
   * end is no part. To be given on both ends; it encrypts nothing. Does not go with `secretFile`. Default: none.
   */
  readonly secret?: Uint8Array | string | undefined;
  /** The file with that secret, which nobody but its owner should be able to read. Default: none. */
  readonly secretFile?: string | undefined;
  /**
   * Encrypt the TCP connection with TLS, 1.2 or newer; to be given on both ends. The client always verifies the server. Default:
   * false.
   */
  readonly tls?: boolean | undefined;
  /**
   * The file with this end's certificate in PEM, followed by those between it and its authority; a server with `tls` needs one.
   * This and the others are paths, since they are read again by `reloadCertificates`: whoever has PEM text writes it to a file,
   * a key to one of mode 0600.
   */
  readonly cert?: string | undefined;
  /** The file with the certificate's private key, in PEM and not encrypted. */
  readonly key?: string | undefined;
  /** How long a peer may be silent, or read nothing, before it is given up: 1000 to 3,600,000 ms. Default: 15,000. */
  readonly deadAfterMs?: number | undefined;
  /** With `perSource`, how long a session may be without traffic: up to 604,800,000 ms; 0 is for ever. Default: 180,000. */
  readonly idleTimeoutMs?: number | undefined;
  /** With `perSource`, how many sessions there may be at once: 1 to 1,000,000. Default: 8192. */
  readonly maxSessions?: number | undefined;
  /** How long a datagram may wait for the TCP connection: up to 600,000 ms; 0 is without limit. Default: 200. */
  readonly maxDelayMs?: number | undefined;
  /** How much may wait for one TCP connection: 128 KiB to 1 GiB. Default: 4 MiB. */
  readonly queueBytesMax?: number | undefined;
  /** How much of one TCP connection the kernel may hold and not have sent: 4 KiB to 1 GiB. Default: the tunnel chooses. */
  readonly unsentBytesMax?: number | undefined;
  /** `auto`: bound what is under way by what the path carries (Linux); `kernel`: do not. Default: `auto`. */
  readonly inFlight?: "auto" | "kernel" | undefined;
  /** The UDP socket's buffers in the kernel, which may grant less: 4 KiB to 1 GiB. Default: 4 MiB. */
  readonly socketBufferBytes?: number | undefined;
  /** `auto`: hand the kernel many datagrams at once where it can take them (Linux); `off`: one by one. Default: `auto`. */
  readonly offload?: "auto" | "off" | undefined;
  /** The traffic class of UDP and TCP packets: the whole byte, 0 to 255, or a DSCP name such as `EF`. Default: the system's. */
  readonly tos?: number | string | undefined;
  /** Linux SO_MARK of every socket, 1 to 4,294,967,295; needs CAP_NET_ADMIN (socket(7)). Default: none. */
  readonly mark?: number | undefined;
}

/** What the server takes: the end that waits for the TCP connection. */
export interface ServerOptions extends TunnelOptions {
  /** Where to wait; port 0 lets the system choose. */
  readonly listen: ListenAddress;
  /** Who may connect: literals, each perhaps with `/PREFIX`. This is no authentication. Default: everybody. */
  readonly allow?: string | readonly string[] | undefined;
  /** Refuse to start unless clients must prove themselves; `allow` does not count. Default: false. */
  readonly requireAuth?: boolean | undefined;
  /** The file with the authorities of clients, in PEM: only clients with a certificate of theirs are served. Default: none asked for. */
  readonly clientCa?: string | undefined;
  /** With `perSource`, how many sessions one TCP address may have: 1 to 1,000,000. Default: as `maxSessions`. */
  readonly maxSessionsPerAddress?: number | undefined;
  /**
   * With `perSource`, take answers from every port of the target's host. The session then sends to the port that
   * answered last. Default: false.
   */
  readonly anyPort?: boolean | undefined;
}

/** What the client takes: the end that makes the TCP connection. */
export interface ClientOptions extends TunnelOptions {
  /** The server; several are tried in order, the next when one fails. */
  readonly connect: ConnectAddress | readonly ConnectAddress[];
  /** The file with the authorities that servers are trusted by, in PEM. Default: the system's. */
  readonly ca?: string | undefined;
  /**
   * The only public key a server may have, whatever its name and whoever vouches for it: `sha256:` and the hash of its
   * SubjectPublicKeyInfo in hexadecimal or base64. Does not go with `ca`. Default: none.
   */
  readonly pin?: string | undefined;
  /** The name to ask the server for, and to find in its certificate. Default: the host in `connect`. */
  readonly sni?: string | undefined;
  /** The local address to connect from. Default: the system's choice. */
  readonly tcpBind?: string | undefined;
}
