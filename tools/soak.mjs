// npm run soak: every seed of every simulation and every byte of every sweep; npm test runs a dose of them.
import { bin, prepare } from './prepare.mjs'

prepare()
process.exit(
  bin('vitest', ['run', '--project', 'simulation', ...process.argv.slice(2)], {
    env: { ...process.env, HA_SOAK: '1' },
  }),
)
