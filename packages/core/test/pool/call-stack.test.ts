import { describe, expect, it } from 'vitest'
import { callStack } from '../../src/pool/pool-report.ts'

describe('the call stack of an acquire', () => {
  it('begins with the caller, however many layers lie between', () => {
    expect(theProgram(20)).toContain('theProgram')
  })

  it('leaves the stacks of others as long as they were', () => {
    const usual = Error.stackTraceLimit
    callStack()
    expect(Error.stackTraceLimit).toBe(usual)
  })
})

function theProgram(layers: number): string {
  return layer(layers)
}

function layer(below: number): string {
  return below === 0 ? callStack() : layer(below - 1)
}
