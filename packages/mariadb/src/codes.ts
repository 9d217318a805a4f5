import type { CoreCode } from '@ha/core'

/** The codes that only MariaDB has, beside those of the core. */
export const mariadbCodes = {
  'no-primary-component': {
    meaning: 'Every Galera node that answers has lost its quorum, or is not synchronised: none may be used.',
    action:
      'Look at `health()`: it says what each node reports. The client goes on by itself when one is Primary again.',
  },
  'read-only': {
    meaning: 'Every server that answers is read-only or a replica: there is nothing to write to.',
    action: 'Promote a server, or correct the roles in the URL. The client goes on by itself afterwards.',
  },
  'duplicate-key': {
    meaning: 'A row with this primary or unique key exists already (1062).',
    action: 'Decide in the application: it is the answer to an INSERT, not a failure of the server.',
  },
  conflict: {
    meaning:
      'The transaction met others on the same rows, was run again as often as `retry.attempts` allows, and met them again.',
    action: 'Make transactions shorter, let them touch rows in one order, or raise `retry.attempts`.',
  },
  'transaction-over': {
    meaning: 'A statement was begun on a transaction or session that is over.',
    action: 'Await every statement inside the callback, and use what the callback is given only there.',
  },
  'token-used': {
    meaning:
      'The transaction’s token stands in the ledger already: it was committed, or fenced off, before. `outcome` says which.',
    action: 'Nothing, when it was you: the work is done. Else give each piece of work a token of its own.',
  },
  'ledger-missing': {
    meaning: 'The table that `ledger.table` names does not exist or may not be used.',
    action: 'Create it (the message holds the statement), or set `ledger.create: true`.',
  },
} as const

export type MariadbCode = CoreCode | keyof typeof mariadbCodes
