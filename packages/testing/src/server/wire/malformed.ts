/** Bytes that are no message of their protocol: what a scripted server says to them is its protocol's. */
export class Malformed extends Error {
  override readonly name = 'Malformed'
}
