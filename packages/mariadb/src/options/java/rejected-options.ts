import { each, type RejectedOption, rejected } from '../foreign-option.ts'
import { flag, oneWord } from '../spelling.ts'

const utf8 = oneWord(
  new Map([
    ['utf8', 'utf8'],
    ['utf-8', 'utf8'],
    ['utf8mb4', 'utf8'],
    ['utf8mb3', 'utf8'],
  ]),
)

/** Options of Connector/J whose wish, passed over, would change what a program does or how safe it is. */
export const rejectedOptions: Readonly<Record<string, RejectedOption>> = {
  allowMultiQueries: rejected(
    'when the connection is lost, nobody could say which statements of a list were done: use transaction()',
    flag,
    [false],
  ),
  autocommit: rejected('a statement outside transaction() commits by itself', flag, [true]),
  useAffectedRows: rejected('affectedRows counts the rows that were found, as is the default of Java', flag, [
    false,
  ]),
  allowLocalInfile: rejected('a server could ask for any file of this machine', flag, [false]),
  allowUrlInLocalInfile: rejected('a server could ask for any address of this network', flag, [false]),
  createDatabaseIfNotExist: rejected('a client makes no database: make it where the server is set up', flag, [
    false,
  ]),
  createDB: rejected('a client makes no database: make it where the server is set up', flag, [false]),
  database: rejected('write the database after the hosts: //host/database'),
  ...each(
    rejected('connections speak utf8mb4: leave it out, or write utf8', utf8, ['utf8']),
    'characterEncoding',
    'passwordCharacterEncoding',
    'characterSetResults',
  ),
  useUnicode: rejected('connections speak utf8mb4', flag, [true]),
  localSocket: rejected('write it as a host: //address=(localSocket=/path)/database'),
  ...each(rejected('named pipes and shared memory belong to Windows and Java'), 'pipe', 'sharedMemory'),
  localSocketAddress: rejected('the address to dial from is chosen by the system'),
  ...each(
    rejected("the class belongs to Java: use options of node:tls in tls, or the hosts' names"),
    'socketFactory',
    'tlsSocketType',
  ),
  ...each(
    rejected(
      'key stores and trust stores belong to Java: give { tls: { options: { ca, cert, key } } } beside the URL',
    ),
    'keyStore',
    'keyStorePassword',
    'keyStoreType',
    'keyPassword',
    'trustStore',
    'trustStorePassword',
    'trustStoreType',
    'clientCertificateKeyStoreUrl',
    'clientCertificateKeyStorePassword',
    'clientCertificateKeyStoreType',
    'trustCertificateKeyStoreUrl',
    'trustCertificateKeyStorePassword',
    'trustCertificateKeyStoreType',
  ),
  ...each(
    rejected("Java's names of ciphers differ: give { tls: { options: { ciphers } } } beside the URL"),
    'enabledSslCipherSuites',
  ),
  ...each(
    rejected('logins are by password, which may be a function: give { password } beside the URL'),
    'credentialType',
    'servicePrincipalName',
    'restrictedAuth',
    'serverRsaPublicKeyFile',
  ),
}
