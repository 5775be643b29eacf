// Scenarios: experiments with parameters, ready or one's own.
export { findScenario, findSuite, scenarios, suites, valuesFor } from './library.ts'
export type { ParameterValues } from './parameters.ts'
export { Scenario } from './scenario.ts'
