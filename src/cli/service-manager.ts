/** Reports to the service manager that started this process, such as systemd, what state it is in (sd_notify(3)). */

export type ServiceState = "READY=1" | "RELOADING=1" | "STOPPING=1";

/**
 * Returns a function that reports a state. It does nothing without a service manager (no NOTIFY_SOCKET), or after
 * STOPPING=1.
 */
export async function openServiceManager(): Promise<(state: ServiceState) => void> {
  const { NOTIFY_SOCKET } = process.env;
  if (NOTIFY_SOCKET === undefined || process.platform !== "linux") return () => {};
  const { notifySocket } = await import("../net/linux/notify-socket.ts");
  let stopping = false;
  return (state) => {
    if (stopping) return;
    stopping = state === "STOPPING=1";
    notifySocket(NOTIFY_SOCKET, state);
  };
}
