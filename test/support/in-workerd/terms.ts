export const STANDARD_TERMS = { serviceTier: null, speed: null, inferenceGeo: null, isBatch: false } as const;
