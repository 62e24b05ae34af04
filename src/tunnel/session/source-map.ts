/** Finds what belongs to a UDP source without building a key for every datagram. */

export class SourceMap<Value> {
  readonly #byPort = new Map<number, Map<string, Value>>();

  get(address: string, port: number): Value | undefined {
    return this.#byPort.get(port)?.get(address);
  }

  set(address: string, port: number, value: Value): void {
    let byAddress = this.#byPort.get(port);
    if (byAddress === undefined) {
      byAddress = new Map();
      this.#byPort.set(port, byAddress);
    }
    byAddress.set(address, value);
  }

  delete(address: string, port: number): void {
    const byAddress = this.#byPort.get(port);
    byAddress?.delete(address);
    if (byAddress?.size === 0) this.#byPort.delete(port);
  }
}
