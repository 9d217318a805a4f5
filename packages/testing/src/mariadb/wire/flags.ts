type Capability =
  | 'foundRows'
  | 'connectWithSchema'
  | 'protocol41'
  | 'transactions'
  | 'secureConnection'
  | 'multiResults'
  | 'preparedMultiResults'
  | 'pluginAuth'
  | 'connectAttributes'
  | 'sizedAuth'
  | 'sessionTrack'
  | 'deprecateEof'
  | 'bulk'
  | 'extendedMetadata'

type StatusFlag = 'inTransaction' | 'autocommit' | 'inReadOnlyTransaction' | 'sessionStateChanged'

/** What client and server may agree on, as bits of the handshake. MariaDB's own are above bit 31. */
export const capability: Readonly<Record<Capability, bigint>> = {
  foundRows: 1n << 1n,
  connectWithSchema: 1n << 3n,
  protocol41: 1n << 9n,
  transactions: 1n << 13n,
  secureConnection: 1n << 15n,
  multiResults: 1n << 17n,
  preparedMultiResults: 1n << 18n,
  pluginAuth: 1n << 19n,
  connectAttributes: 1n << 20n,
  sizedAuth: 1n << 21n,
  sessionTrack: 1n << 23n,
  deprecateEof: 1n << 24n,
  bulk: 1n << 34n,
  extendedMetadata: 1n << 35n,
}

/** What the server of this package can do. Without the lowest bit it is MariaDB and not MySQL. */
export const serverCapabilities: bigint = Object.values(capability).reduce((all, bit) => all | bit, 0n)

/** How a connection stands, as bits of every answer that is no error. */
export const statusFlag: Readonly<Record<StatusFlag, number>> = {
  inTransaction: 1,
  autocommit: 2,
  inReadOnlyTransaction: 1 << 13,
  sessionStateChanged: 1 << 14,
}
