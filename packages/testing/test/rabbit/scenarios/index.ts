import { deadLetters } from './dead-letters.ts'
import { declarations } from './declarations.ts'
import { deletions } from './deletions.ts'
import { deliveries } from './deliveries.ts'
import { exclusiveUse } from './exclusive-use.ts'
import { handshakes } from './handshakes.ts'
import type { Scenario } from './harness.ts'
import { publications } from './publications.ts'
import { routing } from './routing.ts'

/** Everything that the fake is held to. */
export const scenarios: readonly Scenario[] = [
  ...handshakes,
  ...declarations,
  ...deletions,
  ...routing,
  ...publications,
  ...deliveries,
  ...exclusiveUse,
  ...deadLetters,
]
