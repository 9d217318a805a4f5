// The packaging checks: what a user would find wrong with a package before the first line of code runs.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { inEmptyFolder, install, packAll, published, useFrom } from './pack.mjs'
import { prepare } from './prepare.mjs'
import { Steps } from './steps.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

// What `npm install` of a package may bring beside itself. Everything else is a surprise for the user.
const allowed = {
  core: ['eventemitter3', 'generic-pool'],
  testing: ['@ha/core', 'eventemitter3', 'generic-pool'],
  rabbit: ['@ha/core', 'amqplib', 'eventemitter3', 'generic-pool'],
  mariadb: [
    '@ha/core',
    '@types/geojson',
    '@types/node',
    'denque',
    'eventemitter3',
    'generic-pool',
    'iconv-lite',
    'lru-cache',
    'mariadb',
    'safer-buffer',
    'undici-types',
  ],
  zookeeper: ['@ha/core', 'async', 'eventemitter3', 'generic-pool', 'node-zookeeper-client', 'underscore'],
  bootstrap: ['@ha/core', 'commander', 'eventemitter3', 'generic-pool'],
}

/** Runs all packaging checks into `steps`. */
export async function checkPackages(steps) {
  await steps.run('no unused file, export or dependency (knip)', () =>
    tool('knip', 'bin/knip.js', ['--no-progress']),
  )
  await inEmptyFolder(async (folder) => {
    const files = packAll(folder)
    for (const name of published) {
      await steps.run(`@ha/${name}: publint`, () => tool('publint', 'src/cli.js', [files[name], '--strict']))
      await steps.run(`@ha/${name}: types resolve (attw)`, () =>
        tool('@arethetypeswrong/cli', 'dist/index.js', [files[name], '--profile', 'esm-only', '--quiet']),
      )
      await steps.run(`@ha/${name}: packed, installed and used from ESM and require()`, () =>
        usePack(name, files),
      )
    }
  })
}

async function usePack(name, files) {
  await inEmptyFolder((folder) => {
    const wanted = Object.fromEntries([name, 'core'].map((each) => [each, files[each]]))
    const came = install(folder, wanted).filter((each) => each !== `@ha/${name}` && each !== '@ha/core')
    const surprises = came.filter((each) => !allowed[name].includes(each))
    if (surprises.length > 0) throw new Error(`npm install @ha/${name} also brings ${surprises.join(', ')}`)
    useFrom(folder, name, entriesOf(name))
  })
}

function entriesOf(name) {
  const { exports } = JSON.parse(readFileSync(`${root}/packages/${name}/package.json`, 'utf8'))
  return Object.keys(exports)
    .filter((entry) => entry !== './package.json')
    .map((entry) => `@ha/${name}${entry.slice(1)}`)
}

function tool(name, program, args) {
  try {
    execFileSync(process.execPath, [`${root}/node_modules/${name}/${program}`, ...args], {
      cwd: root,
      encoding: 'utf8',
      stdio: 'pipe',
    })
  } catch (error) {
    throw new Error(`${error.stdout}${error.stderr}`.trim(), { cause: error })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  prepare()
  const steps = new Steps()
  await checkPackages(steps)
  steps.end()
}
