/** Bytes that are no record of the protocol: a server answers -5, or ends the connection when it is the frame itself. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}
