package SL::Memory;

# What is in the memory of a process, and what of it a core dump would hold.
#
#   SL::Memory::find($pid, $bytes)   [dumped, kept out]: how often the bytes are there, in mappings that core dumps hold and
#                                    in those that are kept out of them (MADV_DONTDUMP)
# Needs the right to look into the process.

use strict;
use warnings;
no warnings 'portable';    # addresses have 64 bits

sub mappings {
    my ($pid) = @_;
    my @found;
    open my $in, '<', "/proc/$pid/smaps" or return;
    while (my $line = <$in>) {
        if ($line =~ /^([0-9a-f]+)-([0-9a-f]+) (\S+)/) { push @found, { from => hex $1, to => hex $2, may => $3 } }
        elsif ($line =~ /^VmFlags:(.*)/)               { $found[-1]{kept_out} = $1 =~ /\bdd\b/ ? 1 : 0 }
    }
    return @found;
}

sub find {
    my ($pid, $bytes) = @_;
    my @count = (0, 0);
    open my $memory, '<:raw', "/proc/$pid/mem" or return;
    for my $map (mappings($pid)) {
        next if $map->{may} !~ /^r/;
        my ($at, $rest) = ($map->{from}, '');
        while ($at < $map->{to}) {
            my $size = $map->{to} - $at > 1 << 20 ? 1 << 20 : $map->{to} - $at;
            my $piece;
            last if !sysseek($memory, $at, 0) || !sysread($memory, $piece, $size);
            my $all = $rest . $piece;
            $count[$map->{kept_out}]++ while $all =~ /\Q$bytes\E/g;
            $rest = substr $all, -(length($bytes) - 1) if length $all >= length $bytes;
            $at += length $piece;
        }
    }
    return \@count;
}

1;
