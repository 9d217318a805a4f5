// Makes the API reference in docs/api from the sources; `--check` says whether it is up to date.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const workspace = fileURLToPath(new URL('api', import.meta.url))
const reference = fileURLToPath(new URL('../docs/api', import.meta.url))

const made = mkdtempSync(join(tmpdir(), 'ha-api-'))
try {
  const { status } = spawnSync(
    process.execPath,
    [join(workspace, 'node_modules/typedoc/bin/typedoc'), '--out', made],
    { cwd: workspace, stdio: 'inherit' },
  )
  if (status !== 0) process.exit(1)
  if (process.argv.includes('--check')) check()
  else {
    rmSync(reference, { recursive: true, force: true })
    cpSync(made, reference, { recursive: true })
  }
} finally {
  rmSync(made, { recursive: true })
}

function check() {
  const stale = [...new Set([...pages(made), ...pages(reference)])].filter(
    (page) => textOf(made, page) !== textOf(reference, page),
  )
  if (stale.length === 0) return
  console.error(
    `docs/api is older than the sources (${stale.join(', ')}); make it anew: node tools/api-doc.mjs`,
  )
  process.exitCode = 1
}

function pages(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.md'))
}

function textOf(folder, page) {
  return pages(folder).includes(page) ? readFileSync(join(folder, page), 'utf8') : undefined
}
