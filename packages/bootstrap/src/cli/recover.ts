import { openLab } from '../client/find-labs.ts'
import type { Lab } from '../client/lab.ts'
import type { Evidence } from '../galera/evidence.ts'
import type { Recovery } from '../galera/recovery.ts'
import { labError } from '../model/codes.ts'
import type { VerbContext, VerbResult } from './context.ts'
import { exitCodes } from './exit-code.ts'
import { describeDecision } from './sentences.ts'
import { formatTable } from './table.ts'
import { kindOf } from './up-flags.ts'

/** What `hactl recover` was typed with. */
export interface RecoverFlags {
  readonly name?: string
  readonly assumeLost?: readonly string[]
  readonly yes?: boolean
}

/** Shows what is known of every node and what follows, asks, and brings the cluster back. */
export async function recover(
  kind: string | undefined,
  flags: RecoverFlags,
  context: VerbContext,
): Promise<VerbResult> {
  const wanted = kind === undefined ? undefined : kindOf(kind)
  const lab = openLab(flags.name)
  if (wanted !== undefined && lab.kind !== wanted) {
    throw labError('usage', `recover: ${lab.name} is a lab of ${lab.kind}, not of ${wanted}`)
  }
  const { signal, onEvent } = context
  const options = { assumeLost: flags.assumeLost ?? [], signal, onEvent }
  const found = await lab.recovery(options)
  context.print(`${recoveryLines(found).join('\n')}\n`)
  if (found.decision.kind === 'refuse') throw labError('recovery-refused', found.decision.because)
  if (flags.yes !== true && !(await context.confirm('Do that?'))) {
    throw labError('recovery-refused', `nothing was done; to do it, type: ${confirmedCommand(lab, flags)}`)
  }
  const done = await lab.recover(options)
  await lab.ready(options)
  return {
    json: { lab: lab.name, ...done, status: await lab.status({ signal }) },
    text: [`${lab.name} is back and all members agree`],
    exitCode: exitCodes.ok,
  }
}

/** The evidence as a table, and what it leads to. */
export function recoveryLines({ evidence, decision }: Recovery): readonly string[] {
  const headings = ['NODE', 'STATE', 'HISTORY', 'POSITION', 'FROM', 'STOPPED LAST']
  return [
    ...formatTable([headings, ...evidence.map(evidenceCells)]),
    '',
    `${describeDecision(decision)}: ${decision.because}`,
  ]
}

function evidenceCells({ node, standing }: Evidence): readonly string[] {
  switch (standing.kind) {
    case 'unknown':
      return [node, `unknown: ${standing.because}`]
    case 'primary':
    case 'without-majority':
      return [node, standing.kind, standing.history, String(standing.position), 'the server', '']
    case 'down': {
      const { history, position, from, isMarkedSafe } = standing
      return [node, 'down', history ?? 'none', String(position ?? '?'), from, isMarkedSafe ? 'yes' : 'no']
    }
  }
}

function confirmedCommand(lab: Lab, { assumeLost }: RecoverFlags): string {
  const lost = assumeLost === undefined ? '' : ` --assume-lost ${assumeLost.join(' ')}`
  return `hactl recover --name ${lab.name}${lost} --yes`
}
