/** A session as the servers write it, such as `0x100a2b3c4d50000`. */
export function sessionName(id: bigint): string {
  return `0x${BigInt.asUintN(64, id).toString(16)}`
}
