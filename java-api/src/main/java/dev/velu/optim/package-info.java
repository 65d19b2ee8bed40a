/**
 * What updates parameters: update rules with their constants, learning rate schedules, limits on gradients, and the optimizer that
 * applies them to all parameters in one native call.
 *
 * <p>The loop over steps and epochs lives in the trainer.
 */
package dev.velu.optim;
