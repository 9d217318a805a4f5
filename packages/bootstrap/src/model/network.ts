/** How the servers of a lab reach each other. */
export type Network =
  /** All listen on 127.0.0.1, each on ports of its own. */
  | { readonly kind: 'loopback' }
  /** Each has a network namespace and an address of its own; files of the sandbox are in this folder. */
  | { readonly kind: 'sandbox'; readonly folder: string }

const loopback = '127.0.0.1'

/** Whether others on this machine may have taken ports of the address. */
export function isShared(host: string): boolean {
  return host === loopback
}

/**
 * The address of the node whose first port this is. In a sandbox the port makes it, as its last two bytes: what is
 * unique on the machine is so in the sandbox, and the same lab gets the same addresses again.
 */
export function hostOf({ kind }: Network, port: number): string {
  return kind === 'loopback' ? loopback : `10.77.${port >> 8}.${port & 255}`
}

/** The name by which the servers of a node know its host. */
export function hostNameOf({ kind }: Network, port: number): string {
  return kind === 'loopback' ? 'localhost' : `node${port}`
}
