/** Bytes that are no packet of the protocol: a server answers 1043 or 1835 and ends the connection. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}
