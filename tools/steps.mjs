// A list of checks, run one after the other, and counted.

/** Runs named checks; each returns nothing when it passes and throws when it does not. */
export class Steps {
  passed = 0
  failed = 0

  async run(name, check) {
    const startedAt = performance.now()
    try {
      await check()
      this.passed += 1
      console.log(`ok   ${name} (${seconds(startedAt)})`)
    } catch (error) {
      this.failed += 1
      console.log(`FAIL ${name} (${seconds(startedAt)})\n${indent(error.message)}`)
    }
  }

  add({ passed, failed }) {
    this.passed += passed
    this.failed += failed
  }

  /** The last line, and the exit code. */
  end() {
    console.log(`${this.passed} passed, ${this.failed} failed`)
    process.exitCode = this.failed === 0 ? 0 : 1
  }
}

function seconds(startedAt) {
  return `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`
}

function indent(text) {
  return text.replaceAll(/^/gm, '     ')
}
