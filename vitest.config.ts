import { defineConfig } from 'vitest/config'
import projects from './vitest.workspace.ts'

// Vitest 4 reads only this file; the list of projects is vitest.workspace.ts.
export default defineConfig({ test: { projects: [...projects] } })
