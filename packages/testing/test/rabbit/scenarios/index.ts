import { consuming } from './consuming.ts'
import { declaring } from './declaring.ts'
import { dying } from './dying.ts'
import { entering } from './entering.ts'
import { publishing } from './publishing.ts'
import { removing } from './removing.ts'
import { routing } from './routing.ts'
import { sharing } from './sharing.ts'
import type { Scenario } from './stage.ts'

/** Everything that the fake is held to. */
export const scenarios: readonly Scenario[] = [
  ...entering,
  ...declaring,
  ...removing,
  ...routing,
  ...publishing,
  ...consuming,
  ...sharing,
  ...dying,
]
