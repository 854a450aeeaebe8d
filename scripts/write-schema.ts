// Writes weir.schema.json from the schema of the configuration: `node scripts/write-schema.ts`. A test holds it current.
import { writeFileSync } from 'node:fs'
import { jsonSchemaText } from '../src/config/json-schema.ts'

writeFileSync(new URL('../weir.schema.json', import.meta.url), jsonSchemaText())
