package SL::Source;

# What the lint tests know of the source tree: its C files, its layout by clang-format, the flags it is built with.

use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use SL::Command qw(run slurp spew find_program);

our @EXPORT_OK = qw(top c_files without_comments formatted formatted_all build_flags);

my $top = abs_path(dirname(__FILE__) . '/../../..');
sub top { return $top }

# Paths from the top, of the module's files or (with 'all') those of the tests as well.
sub c_files {
    my ($which) = @_;
    my @dirs = ('mod_securelayer/*', 'include', ($which || '') eq 'all' ? ('t/unit', 't/fuzz', 't/lib/*', 't/modules', 't/bench') : ());
    return sort map { s{^\Q$top\E/}{}r } map { glob "$top/$_/*.[ch]" } @dirs;
}

# The text with comments (and, with 'strings', string literals) blanked; line numbers stay.
sub without_comments {
    my ($text, $strings) = @_;
    my $blank = sub { my ($piece) = @_; $piece =~ s/[^\n]/ /g; return $piece };
    $text =~ s{(/\*.*?\*/)|(//[^\n]*)|("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')}
              { defined $3 ? ($strings ? '"' . $blank->(substr $3, 1, -1) . '"' : $3) : $blank->($1 // $2) }gsex;
    return $text;
}

# clang-format lays out everything but initialisers of tables (whose columns are ours) and rows of macros.
sub ranges_to_format {
    my (@lines) = @_;
    my (@ranges, $inside);
    my ($first, $record) = (1, 0);
    for my $n (1 .. @lines) {
        my $line = $lines[ $n - 1 ];
        $record = $n if $line =~ /\b(?:struct|union|enum)\b[^;]*\{$/;
        if (!$inside && $line =~ /=\s*\{(?!.*\};)|^#\s*define\b.*\\$/) {
            my $start = $line =~ /^\s*\}/ ? $record : $n;    # clang-format takes a declaration as a whole
            push @ranges, "$first:" . ($start - 1) if $start > $first;
            $inside = $line =~ /^#/ ? 'macro' : 'table';
        }
        if ($inside && ($inside eq 'macro' ? $line !~ /\\$/ : $line =~ /\};\s*(?:\/\*.*)?$/)) {
            $inside = undef;
            $first = $n + 1;
        }
    }
    push @ranges, "$first:" . @lines if !$inside && $first <= @lines;
    return @ranges;
}

sub formatter { return find_program('clang-format-19', 'clang-format') }

sub with_own_blanks {
    my ($out, @lines) = @_;
    my %written = map { squeeze($_) => $_ } grep {m{\S\s+/\*}} @lines;
    return join '', map { ($written{ squeeze($_) } // $_) . "\n" } split /\n/, $out;
}

# The same of many files, by name: clang-format takes longer to begin than to lay out a file, so those that it does whole
# are copied and given to it together.
sub formatted_all {
    my (@files) = @_;
    my $copies = tempdir(CLEANUP => 1);
    my (%formatted, %lines);
    for my $file (@files) {
        my @lines = split /\n/, slurp("$top/$file");
        my @ranges = ranges_to_format(@lines);
        next unless $file !~ /_rows\.h$/ && @ranges == 1 && $ranges[0] eq '1:' . @lines;
        $lines{$file} = \@lines;
        make_path(dirname("$copies/$file"));
        spew("$copies/$file", slurp("$top/$file"));
    }
    spew("$copies/.clang-format", slurp("$top/.clang-format"));
    my $r = run([formatter(), '-i', map {"$copies/$_"} sort keys %lines]);
    die "clang-format: $r->{err}" if $r->{status};
    $formatted{$_} = $lines{$_} ? with_own_blanks(slurp("$copies/$_"), @{ $lines{$_} }) : formatted($_) for @files;
    return %formatted;
}

# The file as it should look. The blanks before a comment at the end of a line are the author's.
sub formatted {
    my ($file) = @_;
    my $text  = slurp("$top/$file");
    my @lines = split /\n/, $text;
    return $text if $file =~ /_rows\.h$/;
    my $r = run([formatter(), "--assume-filename=$top/$file", map {"--lines=$_"} ranges_to_format(@lines)], stdin => $text);
    die "clang-format: $r->{err}" if $r->{status};
    return with_own_blanks($r->{out}, @lines);
}

sub squeeze { my ($line) = @_; $line =~ s{(\S)\s+(/\*)}{$1 $2}; return $line }

# Compiler flags of build/normal: ->('APR_CFLAGS', ...) as a list.
sub build_flags {
    my (@names) = @_;
    my $dir = "$top/build/normal";
    return map {
        my $r = run(['make', '-s', '-C', $dir, '--eval', "sl-print: ; \@echo '\$($_)'", 'sl-print']);
        die "build/normal is not configured: run t/check\n" if $r->{status};
        split ' ', $r->{out};
    } @names;
}

1;
