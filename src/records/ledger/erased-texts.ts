/** The texts that an erasure puts in place of those that must not be null. */
export const ERASED = "erased";

/** In front of an event's id, where the text is unique in its column: of the usage of a response, and of any other one. */
export const ERASED_RESPONSE = `${ERASED}/response/`;
export const ERASED_OTHER = `${ERASED}/`;
