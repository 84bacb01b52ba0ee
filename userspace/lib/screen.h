/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tables that follow one another: drawn over the last one on a terminal, or one
 * below the other.  Ended by SIGINT, SIGTERM, or the key q.
 */
#ifndef KVMLITE_SCREEN_H
#define KVMLITE_SCREEN_H

#include <stdbool.h>

/**
 * struct screen - where the tables go
 * @redraw:	draw over the last table instead of printing below it
 * @lines_left:	that fit, in the table that is being printed
 * @ended:	somebody wants it to end
 */
struct screen {
	bool redraw;
	int lines_left;
	bool ended;
};

/* Can tables be drawn over: standard input and output are a terminal. */
bool screen_is_terminal(void);

void screen_enter(struct screen *screen);
void screen_leave(struct screen *screen);

/* Around the lines of a table; each line ends with screen_end_line(). */
void screen_begin(struct screen *screen);
void screen_end_line(struct screen *screen);
void screen_end(struct screen *screen);

/* Waits until the next table is due; false: it is time to end. */
bool screen_wait(struct screen *screen, double seconds);

#endif /* KVMLITE_SCREEN_H */
