import type { TestProject } from 'vitest/node'
import { startLab } from '../../packages/bootstrap/dist/index.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** The name of the cluster that the tests of one project share: `openLab({ name: inject('lab') })`. */
    readonly lab: string
  }
}

const topologies = {
  rabbitmq: { kind: 'rabbitmq', detectMs: 1_000 },
  galera: { kind: 'galera', detectMs: 1_000 },
  zookeeper: { kind: 'zookeeper', detectMs: 1_000 },
} as const

let lab: Awaited<ReturnType<typeof startLab>>

/** Starts the one cluster of a project; its name says which kind. A test that breaks a node heals it again. */
export async function setup(project: TestProject): Promise<void> {
  // The process id keeps two runs of the tests apart.
  const name = `tests-${project.name}-${process.pid}`
  lab = await startLab(topologies[project.name as keyof typeof topologies], { name })
  project.provide('lab', lab.name)
}

/** Ends the cluster. */
export async function teardown(): Promise<void> {
  await lab.down()
}
