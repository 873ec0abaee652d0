import js from '@eslint/js'
import hooks from 'eslint-plugin-react-hooks'
import { defineConfig, globalIgnores } from 'eslint/config'
import ts from 'typescript-eslint'

export default defineConfig([
  globalIgnores(['dist']),
  { files: ['**/*.{ts,tsx}'], extends: [js.configs.recommended, ts.configs.recommendedTypeChecked, hooks.configs.flat.recommended] },
  { languageOptions: { parserOptions: { projectService: true } } },
])
