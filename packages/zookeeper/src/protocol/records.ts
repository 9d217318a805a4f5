/** The records inside other records, as in the package: names and types of the fields, in the order of the wire. */
export const dataRecords = {
  Id: { scheme: 'ustring', id: 'ustring' },
  ACL: { perms: 'int', id: 'data.Id' },
  Stat: {
    czxid: 'long',
    mzxid: 'long',
    ctime: 'long',
    mtime: 'long',
    version: 'int',
    cversion: 'int',
    aversion: 'int',
    ephemeralOwner: 'long',
    dataLength: 'int',
    numChildren: 'int',
    pzxid: 'long',
  },
} as const

/** The records of the package that are used. */
export const packageRecords = {
  ConnectRequest: {
    protocolVersion: 'int',
    lastZxidSeen: 'long',
    timeOut: 'int',
    sessionId: 'long',
    passwd: 'buffer',
  },
  ConnectResponse: { protocolVersion: 'int', timeOut: 'int', sessionId: 'long', passwd: 'buffer' },
  RequestHeader: { xid: 'int', type: 'int' },
  ReplyHeader: { xid: 'int', zxid: 'long', err: 'int' },
  AuthPacket: { type: 'int', scheme: 'ustring', auth: 'buffer' },
  CreateRequest: { path: 'ustring', data: 'buffer', acl: 'vector<data.ACL>', flags: 'int' },
  CreateResponse: { path: 'ustring' },
  DeleteRequest: { path: 'ustring', version: 'int' },
  ExistsRequest: { path: 'ustring', watch: 'boolean' },
  ExistsResponse: { stat: 'data.Stat' },
  GetDataRequest: { path: 'ustring', watch: 'boolean' },
  GetDataResponse: { data: 'buffer', stat: 'data.Stat' },
  GetChildren2Request: { path: 'ustring', watch: 'boolean' },
  GetChildren2Response: { children: 'vector<ustring>', stat: 'data.Stat' },
  SetDataRequest: { path: 'ustring', data: 'buffer', version: 'int' },
  SetDataResponse: { stat: 'data.Stat' },
  GetACLRequest: { path: 'ustring' },
  GetACLResponse: { acl: 'vector<data.ACL>', stat: 'data.Stat' },
  SetACLRequest: { path: 'ustring', acl: 'vector<data.ACL>', version: 'int' },
  SetACLResponse: { stat: 'data.Stat' },
  WatcherEvent: { type: 'int', state: 'int', path: 'ustring' },
  SetWatches: {
    relativeZxid: 'long',
    dataWatches: 'vector<ustring>',
    existWatches: 'vector<ustring>',
    childWatches: 'vector<ustring>',
  },
  MultiHeader: { type: 'int', done: 'boolean', err: 'int' },
  CheckVersionRequest: { path: 'ustring', version: 'int' },
  ErrorResponse: { err: 'int' },
} as const

/** Records that servers have introduced since the package was written, in the package's terms. */
export const addedRecords = {
  ReadOnlyFlag: { readOnly: 'boolean' },
  Create2Response: { path: 'ustring', stat: 'data.Stat' },
  CreateTTLRequest: {
    path: 'ustring',
    data: 'buffer',
    acl: 'vector<data.ACL>',
    flags: 'int',
    ttl: 'long',
  },
  SyncRequest: { path: 'ustring' },
  SyncResponse: { path: 'ustring' },
  SetWatches2: {
    relativeZxid: 'long',
    dataWatches: 'vector<ustring>',
    existWatches: 'vector<ustring>',
    childWatches: 'vector<ustring>',
    persistentWatches: 'vector<ustring>',
    persistentRecursiveWatches: 'vector<ustring>',
  },
  AddWatchRequest: { path: 'ustring', mode: 'int' },
  RemoveWatchesRequest: { path: 'ustring', type: 'int' },
} as const

/** The fields of a record. */
export type Fields = Readonly<Record<string, FieldType>>

/** The type of a field, in the package's terms. */
export type FieldType = keyof FieldValues

/** The value of a field. A missing value (a length of -1) is empty. */
interface FieldValues {
  int: number
  long: bigint
  boolean: boolean
  buffer: Buffer
  ustring: string
  'vector<ustring>': readonly string[]
  'vector<data.ACL>': readonly ValuesOf<typeof dataRecords.ACL>[]
  'data.Id': ValuesOf<typeof dataRecords.Id>
  'data.ACL': ValuesOf<typeof dataRecords.ACL>
  'data.Stat': ValuesOf<typeof dataRecords.Stat>
}

/** The values of a record as a plain object. */
export type ValuesOf<F> = { readonly [K in keyof F]: F[K] extends FieldType ? FieldValues[F[K]] : never }

/** The type of the items of a vector, or undefined for other types. */
export function itemsOf(type: FieldType): FieldType | undefined {
  switch (type) {
    case 'vector<ustring>':
      return 'ustring'
    case 'vector<data.ACL>':
      return 'data.ACL'
    default:
      return undefined
  }
}

/** The name of the record that a field holds, or undefined for other types. */
export function recordIn(type: FieldType): keyof typeof dataRecords | undefined {
  switch (type) {
    case 'data.Id':
      return 'Id'
    case 'data.ACL':
      return 'ACL'
    case 'data.Stat':
      return 'Stat'
    default:
      return undefined
  }
}

/** The fields of a nested record. */
export function fieldsWithin(name: keyof typeof dataRecords): Fields {
  return dataRecords[name]
}
