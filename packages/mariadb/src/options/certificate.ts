import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { misspelt, type Spelling, words } from './spelling.ts'

/** Reads Java's `serverSslCert`: a certificate in PEM, or the path of a file that holds one in PEM or DER. Returns PEM. */
export const certificate: Spelling<string> = (value, place) => {
  const given = words(value, place)
  if (given.includes(begin)) return given
  if (given.startsWith('classpath:')) throw misspelt(place, "a class path is Java's: give the path of a file")
  const bytes = readOnce(given, place)
  return bytes.includes(begin) ? bytes.toString('latin1') : pemOf(bytes, place)
}

const begin = '-----BEGIN'

// Read at the door, once, like every option; nobody waits for a connection yet.
function readOnce(path: string, place: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw misspelt(place, 'expected a certificate, or a file that can be read', cause)
  }
}

function pemOf(der: Buffer, place: string): string {
  try {
    return new X509Certificate(der).toString()
  } catch (cause) {
    throw misspelt(place, 'the file holds no certificate, neither in PEM nor in DER', cause)
  }
}
