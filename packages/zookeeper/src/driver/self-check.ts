import { isHaError } from '@ha/core'
import { ZookeeperError } from '../zookeeper-error.ts'
import type { JuteBase, JuteClass, JuteRecord, RecordLayer } from './record-layer.ts'
import { data, type Fields, packaged } from './records.ts'

const expectedVersion = '1.1.3'

/**
 * The record layer in what the package's `lib/jute` exports, when it is the one that we know: every record that we use
 * has our fields, and known values become known bytes. Throws `internal`, and says which inside has changed.
 */
export function checkJute(found: unknown, version: string): RecordLayer {
  const fail: Fail = (what, cause) => {
    const expected = `node-zookeeper-client ${expectedVersion} was expected and ${version} found`
    const message = `${expected}, whose inside has changed: ${what}. Install ${expectedVersion}`
    throw new ZookeeperError('internal', message, { cause })
  }
  try {
    const exported = (found ?? {}) as Readonly<Record<string, Classes | undefined>>
    checkRecords(exported['data'], data, 'data', fail)
    checkRecords(exported['protocol'], packaged, 'protocol', fail)
    const layer = withBase(exported as unknown as RecordLayer)
    checkBytes(layer, fail)
    return layer
  } catch (thrown) {
    return isHaError(thrown)
      ? raise(thrown)
      : fail('its records can no longer be made, written and read', thrown)
  }
}

type Fail = (what: string, cause?: unknown) => never

type Classes = Readonly<Record<string, JuteClass>>

function raise(error: Error): never {
  throw error
}

function checkRecords(
  classes: Classes | undefined,
  expected: Readonly<Record<string, Fields>>,
  kind: string,
  fail: Fail,
): void {
  for (const [name, fields] of Object.entries(expected)) {
    const Class = classes?.[name] ?? fail(`there is no record ${kind}.${name}`)
    const actual = new Class().specification.map((field) => `${field.name} ${field.type}`).join(', ')
    const wanted = Object.entries(fields)
      .map(([field, type]) => `${field} ${type}`)
      .join(', ')
    if (actual !== wanted) fail(`the record ${kind}.${name} is (${actual}) and not (${wanted})`)
  }
}

function withBase({ protocol, data }: RecordLayer): RecordLayer {
  const Base: JuteBase = Object.getPrototypeOf(protocol.RequestHeader.prototype).constructor
  return { protocol, data, Base }
}

// A request as each server knows it, and a long that a number cannot hold, in a record that the package does not have.
function checkBytes({ protocol, Base }: RecordLayer, fail: Fail): void {
  const request = hexOf(new protocol.GetDataRequest('/a', true))
  if (request !== '000000022f6101') fail(`getData('/a') is written as ${request}`)
  const zxid = '7fffffffffffff01'
  const long = hexOf(new Base([{ name: 'zxid', type: 'long' }], [Buffer.from(zxid, 'hex')]))
  if (long !== zxid) fail(`the long ${zxid} is written as ${long}`)
}

function hexOf(record: JuteRecord): string {
  const bytes = Buffer.alloc(record.byteLength())
  record.serialize(bytes, 0)
  return bytes.toString('hex')
}
