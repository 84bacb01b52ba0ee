# SPDX-License-Identifier: GPL-2.0
#
# Ratio ours/peer of each figure in the table of ./lab bench ksm, with a line
# at 1.0, as SVG and PNG beside the table:
#
#	gnuplot -c tests/bench/ksm.gp out/bench/ksm.csv

csv = ARGC > 0 ? ARG1 : "out/bench/ksm.csv"
base = csv[1:strlen(csv) - 4]

# A series is a kernel and its mitigations, e.g. "6.12,off". Its rows are "case metric"
# and the ratio, for each row that has a ratio in any series: bars stand by their number.
rows(series) = sprintf("< awk -F, 'NR == 1 || $8 == \"\" { next } { name = $1 \" \" $4 } !(name in ratio) { ratio[name] = \"NaN\"; order[++n] = name } $3 \",\" $9 == \"%s\" { ratio[name] = $8 } END { for (i = 1; i <= n; i++) print order[i] \",\" ratio[order[i]] }' '%s'", series, csv)
all_series = system(sprintf("awk -F, 'NR > 1 { print $9 \",\" $3 }' '%s' | sort -t, -k1,1r -k2,2V -u | awk -F, '{ print $2 \",\" $1 }'", csv))
title_of(series) = sprintf("Linux %s, mitigations=%s", series[1:strstrt(series, ",") - 1], series[strstrt(series, ",") + 1:*])

set datafile separator ","
set title "ksmdev against the kernel's own KSM: cost of ours / cost of the peer"
set ylabel "ratio (less is better)"
set yrange [0:1.7]
set style data histogram
set style histogram clustered gap 1
set style fill solid 0.8 border -1
set boxwidth 0.9
set xtics rotate by -45 left noenhanced font ",9" scale 0
set grid ytics
set key outside top center horizontal
set bmargin 9
set rmargin 8

colour(i) = word("#4477aa #ee6677 #228833 #ccbb44", i)
n = words(all_series)
# Where the bar of series i stands, for the number above it.
at(i) = (i - (n + 1) / 2.0) / (n + 1)

plot_all = sprintf("plot 1.0 with lines lw 2 lc rgb 'black' title 'as the kernel'")
do for [i = 1:n] {
	series = word(all_series, i)
	plot_all = plot_all . sprintf(", rows('%s') using 2:xtic(1) lc rgb colour(%d) title '%s'", series, i, title_of(series))
	plot_all = plot_all . sprintf(", rows('%s') using ($0 + at(%d)):($2 > 1.55 ? 1.55 : $2):(sprintf('%%.3g', $2)) with labels rotate by 90 offset 0, 1.2 font ',8' notitle", series, i)
}

set terminal svg size 1200, 700 font "sans,11" background rgb "white"
set output base . ".svg"
eval plot_all
set terminal pngcairo size 1200, 700 font "sans,11"
set output base . ".png"
eval plot_all
