/** Tells the service manager that started this process, such as systemd, how far it is (sd_notify(3)). */

export type ServiceState = "READY=1" | "RELOADING=1" | "STOPPING=1";

/** Returns what tells it; that does nothing when no service manager has asked, by NOTIFY_SOCKET, to be told. */
export async function openServiceManager(): Promise<(state: ServiceState) => void> {
  const { NOTIFY_SOCKET } = process.env;
  if (NOTIFY_SOCKET === undefined || process.platform !== "linux") return () => {};
  const { notifySocket } = await import("../net/linux/notify-socket.ts");
  return (state) => {
    notifySocket(NOTIFY_SOCKET, state);
  };
}
