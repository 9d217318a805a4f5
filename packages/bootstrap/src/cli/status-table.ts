import type { LabStatus, NodeStatus } from '../lab/wire.ts'
import { roleOf } from '../model/agreement.ts'
import { clockTime } from './sentences.ts'
import { formatTable } from './table.ts'

/** A lab's status as lines of text: a sentence, a table, and what needs attention. */
export function statusLines(status: LabStatus): readonly string[] {
  return [
    `${status.lab}  ${status.kind} ${status.version}  ${summary(status)}`,
    ...nodeTable(status.nodes),
    ...attention(status),
  ]
}

// Where all nodes are alike, nobody asks for their roles.
function nodeTable(nodes: readonly NodeStatus[]): readonly string[] {
  const roles = nodes.map(({ view }) => roleOf(view))
  const hasRoles = roles.some((role) => role !== undefined)
  const withRole = (
    role: string,
    [name = '', state = '', ...others]: readonly string[],
  ): readonly string[] => (hasRoles ? [name, state, role, ...others] : [name, state, ...others])
  const headings = withRole('ROLE', ['NODE', 'STATE', 'SEES', 'ADDRESS', 'PID', 'FAULT'])
  return formatTable([headings, ...nodes.map((node, i) => withRole(roles[i] ?? '-', nodeCells(node)))])
}

function attention({ phase, agreed, because }: LabStatus): readonly string[] {
  if (phase.kind === 'failed') return [`FAILED  ${phase.message}`]
  return agreed ? [] : [`DISAGREE  ${because}`]
}

function summary(status: LabStatus): string {
  switch (status.phase.kind) {
    case 'forming':
      return 'is forming'
    case 'failed':
      return 'has failed'
    case 'ended':
      return 'has ended'
    case 'formed':
      return status.agreed ? `${status.nodes.length} of ${status.nodes.length} agree` : 'members disagree'
  }
}

function nodeCells(node: NodeStatus): readonly string[] {
  return [
    node.name,
    node.standing,
    node.view.kind === 'answered' ? String(node.view.running.length) : '-',
    node.endpoint,
    node.pid === null ? '-' : String(node.pid),
    node.fault === null ? '' : `heals itself at ${clockTime(node.fault.healsAt)}`,
  ]
}
