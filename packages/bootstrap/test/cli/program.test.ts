import { CommanderError } from 'commander'
import { expect, test } from 'vitest'
import { hactlProgram, usageText, type Verb } from '../../src/cli/program.ts'

function parse(...argv: readonly string[]): Verb | undefined {
  let chosen: Verb | undefined
  const program = hactlProgram((verb) => {
    chosen = verb
  })
  for (const command of [program, ...program.commands]) {
    command.exitOverride().configureOutput({ writeErr: () => undefined, writeOut: () => undefined })
  }
  program.parse(argv, { from: 'user' })
  return chosen
}

const context = {
  signal: new AbortController().signal,
  readerLeft: new AbortController().signal,
  isJson: true,
  onEvent: () => undefined,
  print: () => undefined,
  confirm: async () => false,
}

test.each([
  ['up', 'rabbitmq', '--nodes', '3', '--detect', '1s', '--name', 'lab', '--json'],
  ['up', 'galera', '--arbitrator'],
  ['up', 'zookeeper', '--nodes', '5', '--detect', '1s'],
  ['partition', 'zk1', '--for', '30s', '--from', 'all'],
  ['sandbox', '--', 'npm', 'test', '--', '--json'],
  ['sandbox', 'hactl', 'up', 'zookeeper', '--detect', '1s'],
  ['isolate', 'db2', '--for', '30s'],
  ['reject-queries', 'db2'],
  ['stop-applier', 'db2', '--json'],
  ['recover', 'galera', '--name', 'lab', '--assume-lost', 'db2', '--yes'],
  ['status', '--json'],
  ['kill', 'rabbit1', '--for', '30s'],
  ['stop', 'rabbit1', '--json'],
  ['pause', 'rabbit1', '--name', 'lab'],
  ['resume', 'rabbit1', '--json'],
  ['restart', 'rabbit1', '--json'],
  ['logs', 'rabbit1', '--follow'],
  ['env', '--json'],
  ['down', '--all', '--json'],
  ['doctor', '--fix', '--json'],
])('%s is a verb that is understood', (...argv) => {
  expect(parse(...argv)).toBeTypeOf('function')
})

test.each([
  [['statsu'], 'Did you mean status?'],
  [['up', 'rabbitmq', '--detekt', '1s'], 'Did you mean --detect?'],
  [['pause'], "missing required argument 'node'"],
  [['partition', 'zk1', '--from', 'everybody'], 'Allowed choices are peers, clients, all'],
])('%j gets the nearest right word', (argv, hint) => {
  expect(() => parse(...argv)).toThrow(CommanderError)
  expect(() => parse(...argv)).toThrow(hint)
})

test.each([
  [['down', 'shop'], 'expected 0, got 1'],
  [['status', 'shop'], 'expected 0, got 1'],
  [['logs', 'zk1', 'shop'], 'expected 1, got 2'],
])('%j names the option that chooses a lab', (argv, counts) => {
  expect(() => parse(...argv)).toThrow(
    expect.toSatisfy(({ message }: Error) =>
      usageText(message).endsWith(`${counts}; a lab is chosen with '--name <lab>'`),
    ),
  )
})

test.each([
  [['up', 'rabitmq'], "did you mean 'rabbitmq'?"],
  [['up', 'galerra'], "did you mean 'galera'?"],
  [['up', 'galera', '--vhost', 'shop'], '--vhost is a flag of rabbitmq, not of galera'],
  [['up', 'replication', '--arbitrator'], '--arbitrator is a flag of galera, not of replication'],
  [['recover', 'galerra'], "did you mean 'galera'?"],
  [['doctor', 'mariadb'], "unknown kind 'mariadb'; expected one of rabbitmq, galera, replication, zookeeper"],
  [['up', 'rabbitmq', '--nodes', 'three'], "--nodes: 'three' is not a whole number"],
  [['up', 'rabbitmq', '--detect', 'soon'], "--detect: 'soon' is not a duration"],
  [['logs', 'rabbit1', '--follow', '--json'], '--json prints one document'],
])('%j is refused before anything is done', async (argv, message) => {
  await expect(async () => await parse(...argv)?.(context)).rejects.toThrow(message)
})
